from itertools import pairwise

import pytest
import torch

from specflow import paths
from specflow.models.network import Network
from specflow.problems.batch_norm import reestimate_on_training_data
from specflow.problems.task import Task, load_task


def task_of(run) -> Task:
    return load_task(run, paths.dataset(run.dataset_name), torch.device("cpu"))


@pytest.mark.parametrize(("num_samples", "expected"), [(130, [43, 43, 44]), (10**6, [50] * 4)])
def test_samples_come_in_parts_of_nearly_equal_size_no_more_than_there_are(
    digits_run, monkeypatch, num_samples, expected
):
    evaluation = digits_run.evaluation.model_copy(update={"batch_size": 60})
    task, parts = task_of(digits_run.model_copy(update={"evaluation": evaluation})), []
    assert task.num_samples("train") == 200
    monkeypatch.setattr(task, "totals", lambda model, split, part: parts.append(part))
    model = Network()
    model.norm = torch.nn.BatchNorm1d(1)
    model.norm.register_buffer("num_batches_tracked", torch.ones((), dtype=torch.int64))
    monkeypatch.setattr(model.norm, "reset_running_stats", lambda: None)
    reestimate_on_training_data(task, model, num_samples)
    assert parts[0].start == 0
    assert all(first.stop == second.start for first, second in pairwise(parts))
    assert [part.stop - part.start for part in parts] == expected


def test_statistics_are_those_of_the_first_samples(digits_run):
    task = task_of(digits_run)
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
    task = task_of(addition_run)
    monkeypatch.setattr(task, "totals", lambda *_: 1 / 0)
    reestimate_on_training_data(task, task.build_model(), 10)
