import torch

from specflow import paths
from specflow.models.network import Network
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.problems.task import load_task

CPU = torch.device("cpu")
DIGITS = paths.dataset("digits")


def sizes_observed(task, monkeypatch, num_samples):
    selections = []
    monkeypatch.setattr(task, "observe", lambda model, part: selections.append(part))
    model = Network()
    model.norm = torch.nn.BatchNorm1d(1)
    model.norm.register_buffer("num_batches_tracked", torch.ones((), dtype=torch.int64))
    monkeypatch.setattr(model.norm, "reset_running_stats", lambda: None)
    reestimate_on_training_data(task, model, num_samples)
    assert [a.stop for a in selections[:-1]] == [b.start for b in selections[1:]]
    assert selections[0].start == 0
    return [part.stop - part.start for part in selections]


def test_samples_come_in_parts_of_nearly_equal_size(digits_run, monkeypatch):
    evaluation = digits_run.evaluation.model_copy(update={"batch_size": 60})
    run = digits_run.model_copy(update={"evaluation": evaluation})
    assert sizes_observed(load_task(run, DIGITS, CPU), monkeypatch, 130) == [43, 43, 44]


def test_no_more_samples_than_there_are(digits_run, monkeypatch):
    task = load_task(digits_run, DIGITS, CPU)
    assert sum(sizes_observed(task, monkeypatch, 10**6)) == task.num_samples("train")


def test_statistics_are_those_of_the_first_samples(digits_run):
    task = load_task(digits_run, DIGITS, CPU)
    model = task.build_model()
    norm = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    inputs = []
    norm.register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach()))
    weights = {name: weight.clone() for name, weight in model.named_parameters()}
    reestimate_on_training_data(task, model, 100)
    (seen,) = inputs
    assert len(seen) == 100
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)))
    for name, weight in model.named_parameters():
        assert torch.equal(weight, weights[name])


def test_network_without_batch_norm_observes_nothing(addition_run, monkeypatch):
    task = load_task(addition_run, paths.dataset("addition"), CPU)
    monkeypatch.setattr(task, "observe", lambda *_: 1 / 0)
    reestimate_on_training_data(task, task.build_model(), 10)
