import pytest
import torch
from tests.training.made_up import task_of
from torch.nn import functional

from specflow.training.loop import NonFiniteLossError, Trainer
from specflow.training.order import epoch_order


def trainer_of(run, order_seed=3):
    task = task_of(run)
    torch.manual_seed(0)
    return Trainer(run, task, task.build_model(), order_seed)


def weights_after(run, steps, order_seed=3):
    trainer = trainer_of(run, order_seed)
    list(trainer.run(0, [steps]))
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def difference(first, second):
    return max(float((first[name] - second[name]).detach().abs().max()) for name in first)


def naive_weights(run, steps, order_seed=3):
    """Train with nothing but torch."""
    task = task_of(run)
    torch.manual_seed(0)
    model = task.build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    inputs, targets = task.data["train"]["inputs"], task.data["train"]["targets"]
    for step in range(steps):
        epoch, position = divmod(step, run.epoch_steps)
        order = epoch_order(order_seed, epoch, len(inputs))
        chosen = order[position * run.batch_size : (position + 1) * run.batch_size]
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * run.schedule.factor_at(step, run.epoch_steps, 16)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
        if run.gradient_clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), run.gradient_clip)
        optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}


def test_loop_matches_a_naive_loop(sgd_run):
    steps = 2 * sgd_run.epoch_steps
    assert difference(weights_after(sgd_run, steps), naive_weights(sgd_run, steps)) < 1e-5


def test_loop_clips_gradients(sgd_run):
    clipped = sgd_run.model_copy(update={"gradient_clip": 0.1})
    assert difference(weights_after(clipped, 6), naive_weights(clipped, 6)) < 1e-5
    assert difference(weights_after(clipped, 6), weights_after(sgd_run, 6)) > 1e-6


@pytest.mark.parametrize("batch_size", [8, "full"])
def test_accumulated_gradient_is_that_of_the_whole_batch(sgd_run, batch_size):
    whole = sgd_run.model_copy(update={"batch_size": batch_size})
    # Three parts of eight samples are of unequal size.
    parts = whole.model_copy(update={"accumulation_steps": 3})
    assert difference(weights_after(whole, 4), weights_after(parts, 4)) < 1e-5


def test_order_seed_changes_batches_but_not_full_batches(addition_run):
    assert difference(weights_after(addition_run, 4, 1), weights_after(addition_run, 4, 2)) > 1e-4
    full = addition_run.model_copy(update={"batch_size": "full"})
    assert difference(weights_after(full, 4, 1), weights_after(full, 4, 2)) == 0


def test_pausing_changes_nothing(addition_run):
    trainer = trainer_of(addition_run)
    assert list(trainer.run(0, [1, 2, 7, 8])) == [1, 2, 7, 8]
    weights = dict(trainer.model.named_parameters())
    assert difference(weights, weights_after(addition_run, 8)) == 0


def test_non_finite_loss_is_reported_with_its_step(addition_run):
    optimizer = addition_run.optimizer.model_copy(update={"learning_rate": 1e38})
    run = addition_run.model_copy(update={"optimizer": optimizer})
    with pytest.raises(NonFiniteLossError, match=r"not finite at step [1-9]"):
        weights_after(run, 16)


def test_accumulated_parts_draw_different_noise(diffusion_run):
    trainer = trainer_of(diffusion_run.model_copy(update={"accumulation_steps": 2}))
    trainer.task.data["train"]["inputs"].zero_()
    seen = []
    trainer.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    list(trainer.run(0, [1]))
    assert [len(images) for images in seen] == [20, 20]
    assert not torch.equal(*seen)
