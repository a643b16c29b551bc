from pathlib import Path

import numpy as np
import pytest

from specflow.checkpoints.trajectory import Checkpoint, Origin, open_trajectory, write_trajectory
from specflow.errors import SpecflowError

ORIGIN = Origin(
    config='{"a": 1}',
    seed=3,
    order_seed=4,
    first_step=0,
    scale=0.5,
    torch="2",
    device="cpu",
    fingerprint="f",
)


def checkpoint(step, optimizer=None):
    return Checkpoint(
        step=step,
        weights={"layer.weight": np.full((2, 3), step, dtype=np.float32)},
        buffers={"mean": np.full(2, step, dtype=np.float32), "count": np.array(step)},
        metrics={"train/loss": step / 2, "validation/loss": float(step)},
        optimizer=optimizer,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trajectory.h5"
    state = {"layer.weight": {"momentum": np.ones((2, 3), dtype=np.float32)}}
    write_trajectory(
        path, ORIGIN, [0, 5, 10], 5, [checkpoint(0), checkpoint(5, state), checkpoint(10)]
    )
    return path


def test_trajectory_reads_back(path):
    with open_trajectory(path) as trajectory:
        assert trajectory.origin == ORIGIN
        assert trajectory.steps == [0, 5, 10]
        assert trajectory.epochs == [0.0, 1.0, 2.0]
        assert trajectory.weights(1)["layer.weight"].tolist() == [[5] * 3] * 2
        assert trajectory.weights(-1)["layer.weight"][0, 0] == 10
        assert trajectory.buffers(1)["count"] == 5
        assert trajectory.metrics()["train/loss"].tolist() == [0, 2.5, 5]
        assert trajectory.index_of(10) == 2


def test_optimizer_state_is_kept_at_split_steps_only(path):
    with open_trajectory(path) as trajectory:
        assert trajectory.optimizer(5)["layer.weight"]["momentum"].tolist() == [[1] * 3] * 2
        with pytest.raises(SpecflowError, match=r"no optimizer state at step 10.*\[5\]"):
            trajectory.optimizer(10)


def test_step_that_was_not_kept_is_refused(path):
    with (
        open_trajectory(path) as trajectory,
        pytest.raises(SpecflowError, match=r"step 7 was not kept; expected \[0, 5, 10\]"),
    ):
        trajectory.index_of(7)


def test_checkpoints_are_read_one_at_a_time(tmp_path):
    alive = []

    def checkpoints():
        for step in range(4):
            alive.append(step)
            yield checkpoint(step)
            assert alive == [step]  # the next one is asked for when this one is written
            alive.clear()

    write_trajectory(tmp_path / "t.h5", ORIGIN, [0, 1, 2, 3], 1, checkpoints())


def test_failure_of_a_checkpoint_leaves_no_file(tmp_path):
    def checkpoints():
        yield checkpoint(0)
        raise SpecflowError("scratch is broken")

    with pytest.raises(SpecflowError, match="scratch is broken"):
        write_trajectory(tmp_path / "t.h5", ORIGIN, [0, 1], 1, checkpoints())
    assert list(tmp_path.iterdir()) == []
