import pytest

from specflow.training.checkpoint_plan import CheckpointParams, EveryEpochs, LogSpaced


def plan(spacing, first_epoch_points=0, split_steps=()):
    return CheckpointParams(
        first_epoch_points=first_epoch_points, spacing=spacing, split_steps=split_steps
    )


def test_every_epoch_plan_keeps_start_first_epoch_points_and_epochs():
    steps = plan(EveryEpochs(kind="every", epochs=1), 5).steps(36, 3)
    assert steps == (0, 6, 12, 18, 24, 30, 36, 72, 108)


def test_last_step_is_kept_when_the_spacing_does_not_reach_it():
    assert plan(EveryEpochs(kind="every", epochs=2)).steps(10, 5) == (0, 20, 40, 50)


def test_split_steps_are_kept_wherever_they_lie():
    steps = plan(EveryEpochs(kind="every", epochs=1), 1, (0, 3, 10, 17)).steps(10, 2)
    assert steps == (0, 3, 5, 10, 17, 20)


def test_log_spaced_plan_has_constant_ratio():
    assert plan(LogSpaced(kind="log", count=5)).steps(1, 10_000) == (0, 1, 10, 100, 1000, 10_000)


@pytest.mark.parametrize("steps_per_epoch", [1, 2, 3, 7])
def test_steps_ascend_strictly_even_if_points_coincide(steps_per_epoch):
    steps = plan(EveryEpochs(kind="every", epochs=1), 5).steps(steps_per_epoch, 3)
    assert list(steps) == sorted(set(steps))
    assert steps[0] == 0
    assert steps[-1] == 3 * steps_per_epoch
