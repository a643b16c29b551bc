from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.made_up import (
    SGD,
    prepare_other_data,
    run_of,
    same,
    task_of,
    train,
    trained,
    weights_of,
)

from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.interventions.batch_norm import reestimate_batch_norm
from specflow.interventions.masks import magnitude_masks, random_masks
from specflow.scratch import Scratch
from specflow.training import runs as module
from specflow.training.loop import Trainer
from specflow.training.masking import Masking
from specflow.training.weights import import_weights

SOURCE = Path("source.h5")
LAST = "output.weight"


def ticket(settings, kind="magnitude", density=0.3, step=8, **changes):
    return run_of(
        settings,
        kind,
        seed=0,
        order_seed=0,
        kept=tuple(kept for kept in settings.kept_steps if kept >= step),
        first_step=step,
        trunk=SOURCE,
        intervention=replace(Masking(SOURCE, kind, density, 0, 100), **changes),
    )


def trained_ticket(settings, *arguments, **changes):
    """A ticket that is trained after its source."""
    trained(settings, "source")
    job = ticket(settings, *arguments, **changes)
    train(job)
    return job


def source_weights(settings, index=-1):
    return weights_of(run_of(settings, "source"), index)


def masks_of(settings, kind="magnitude", density=0.3):
    """The masks, from the definition: of the source's final weights, without the last layer's."""
    *inner, last = task_of(settings).build_model().wiring.matrices
    assert last.label == "output"
    final = source_weights(settings)
    weights = {matrix.name: torch.from_numpy(final[matrix.name]) for matrix in inner}
    masks = magnitude_masks(weights, density)
    masks = random_masks(masks, 0) if kind == "random" else masks
    return {name: mask.kept.numpy() for name, mask in masks.items()}


@pytest.mark.parametrize("kind", ["magnitude", "random", "reinitialized"])
@pytest.mark.parametrize("settings", ["addition_run", "sgd_run"], indirect=True)
def test_masked_weights_are_zero_at_every_checkpoint_and_others_are_not(settings, kind):
    """AdamW and SGD, both with momentum of the source and weight decay."""
    job = trained_ticket(settings, kind, step=2)
    masks = masks_of(settings, kind)
    with open_trajectory(job.target) as trajectory:
        assert trajectory.steps == [2, 4, 8, 12, 16]
        for index in range(len(trajectory.steps)):
            weights = trajectory.weights(index)
            for name, kept in masks.items():
                assert not weights[name][~kept].any()
                assert weights[name][kept].all()
            assert weights[LAST].all()
        with pytest.raises(SpecflowError, match="no optimizer state at step 8"):
            trajectory.optimizer(8)
    assert not same(weights_of(job, 0), weights_of(job))


def test_momentum_of_the_source_would_leak_if_nothing_undid_it(sgd_run, monkeypatch):
    """Negative control of the test above."""
    monkeypatch.setattr(torch.optim.SGD, "register_step_post_hook", lambda *_: None)
    weights = weights_of(trained_ticket(sgd_run, step=2))
    assert any(weights[name][~kept].any() for name, kept in masks_of(sgd_run).items())


@pytest.mark.parametrize("settings", ["addition_run", "sgd_run"], indirect=True)
def test_training_matches_naive(settings):
    """Against a loop that masks weights and gradients by multiplication, and clips after that."""
    run = settings.model_copy(update={"gradient_clip": 0.05})
    job = trained_ticket(run)
    kept = {name: torch.from_numpy(mask) for name, mask in masks_of(run).items()}
    task = task_of(run)
    model = task.build_model()
    trainer = Trainer(run, task, model, 0)
    with open_trajectory(SOURCE) as trajectory:
        import_weights(model, trajectory.weights(trajectory.index_of(8)))
        trainer.import_state(trajectory.optimizer(8))
    parameters = dict(model.named_parameters())
    accumulate = trainer._accumulate_gradients

    def masked(step, selection):
        accumulate(step, selection)
        for name, mask in kept.items():
            parameters[name].grad.mul_(mask)

    trainer._accumulate_gradients = masked
    zero(parameters, kept)
    for _ in trainer.run(8, list(range(9, 17))):
        zero(parameters, kept)
    for name, weight in weights_of(job).items():
        assert weight == pytest.approx(parameters[name].detach().numpy(), abs=1e-7), name


@torch.no_grad()
def zero(parameters, kept):
    for name, mask in kept.items():
        parameters[name].mul_(mask)


@pytest.mark.parametrize(
    ("settings", "step"),
    [("addition_run", 0), ("addition_run", 2), ("addition_run", 8), ("digits_run", 2)],
    indirect=["settings"],
)
def test_mask_of_ones_ends_at_the_sources_weights(settings, step):
    job = trained_ticket(settings, density=1.0, step=step)
    assert same(source_weights(settings), weights_of(job))


def test_ticket_starts_from_the_weights_of_the_rewind_step(addition_run):
    job = trained_ticket(addition_run, step=8)
    assert_masked(job, source_weights(addition_run, addition_run.kept_steps.index(8)))


def test_reinitialized_ticket_has_matrices_of_another_seed_and_all_else_of_its_source(
    addition_run, tmp_path
):
    job = trained_ticket(addition_run, "reinitialized", step=8)
    torch.manual_seed(2**31)
    fresh = task_of(addition_run).build_model().state_dict()
    source = source_weights(addition_run, addition_run.kept_steps.index(8))
    drawn = {name: fresh[name].numpy() for name in masks_of(addition_run)}
    assert not any(np.array_equal(drawn[name], source[name]) for name in drawn)
    assert_masked(job, {**source, **drawn})
    task = task_of(addition_run)
    trainer = Trainer(addition_run, task, task.build_model(), 0)
    module._take_up(job, trainer, Scratch(tmp_path))
    with open_trajectory(SOURCE) as trajectory:
        expected, state = trajectory.optimizer(8), trainer.export_state()
    assert expected.keys() == state.keys()
    assert all(same(expected[name], state[name]) for name in expected)
    with open_trajectory(job.target) as trajectory:
        assert trajectory.origin.first_step == 8
        assert trajectory.steps == [8, 12, 16]


def assert_masked(job, expected):
    masks = masks_of(job.settings)
    for name, weight in weights_of(job, 0).items():
        assert np.array_equal(weight, expected[name] * masks.get(name, True))


def test_statistics_of_batch_norm_are_estimated_anew_at_the_start(digits_run):
    job, task = trained_ticket(digits_run, step=0), task_of(digits_run)
    model = task.build_model()
    assert list(model.named_buffers())  # those of BatchNorm
    with open_trajectory(job.target) as trajectory:
        found = {**trajectory.weights(0), **trajectory.buffers(0)}
        loss = trajectory.metrics()["train/loss"][0]
    import_weights(model, found)
    reestimate_batch_norm(model, lambda: task.totals(model, "train", slice(0, 100)))
    for name, buffer in model.named_buffers():
        assert buffer.numpy() == pytest.approx(found[name], rel=1e-6), name
    assert task.evaluate_all(model)["train/loss"] == pytest.approx(loss)
    with open_trajectory(SOURCE) as trajectory:
        assert not same(trajectory.buffers(0), found)


@pytest.mark.parametrize(
    ("settings", "kind", "step", "survived"),
    [
        ("addition_run", "magnitude", 2, 2),
        ("addition_run", "random", 2, 5),
        ("addition_run", "reinitialized", 2, 6),
        ("digits_run", "magnitude", 0, 4),
    ],
    indirect=["settings"],
)
def test_killed_ticket_resumes_to_the_same_bytes(
    settings, kind, step, survived, killed_and_resumed
):
    trained(settings, "source")
    job = ticket(settings, kind, step=step)
    undisturbed = train(job)
    assert killed_and_resumed(job, survived)[0] == undisturbed


def test_scratch_depends_on_whatever_decides_the_mask(addition_run):
    trained(addition_run, "source")
    jobs = [
        ticket(addition_run),
        ticket(addition_run, density=0.31),
        ticket(addition_run, "random"),
        ticket(addition_run, "reinitialized"),
        ticket(addition_run, seed=1),
        ticket(addition_run, batch_norm_samples=99),
        replace(ticket(addition_run), intervention=None),
    ]
    jobs = [replace(job, name="ticket") for job in jobs]
    folders = {job.work for job in jobs}
    assert len(folders) == len(jobs)
    assert jobs[0].work in folders
    trained(addition_run.model_copy(update={"optimizer": SGD}), "source")
    assert jobs[0].work not in folders


def test_density_that_keeps_nothing_names_the_source(addition_run):
    with pytest.raises(SpecflowError, match=r"source.h5: density 1e-07 keeps none of \d+ weights"):
        trained_ticket(addition_run, density=1e-7)


def test_reinitialized_ticket_on_other_data_than_its_source_is_refused(addition_run):
    trained(addition_run, "source")
    prepare_other_data()
    with pytest.raises(SpecflowError, match=r"source.h5: was trained on data of fingerprint"):
        train(ticket(addition_run, "reinitialized"))
