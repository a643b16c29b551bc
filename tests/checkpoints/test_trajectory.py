import numpy as np
import pytest
from tests.checkpoints.trajectories import ORIGIN, checkpoint

from specflow.checkpoints.trajectory import open_trajectory, write_trajectory
from specflow.errors import SpecflowError

WEIGHTS = {"layer.weight": np.ones((2, 3), dtype=np.float32)}


@pytest.fixture
def trajectory(tmp_path):
    state = {"layer.weight": {"momentum": np.ones((2, 3), dtype=np.float32)}}
    rows = [checkpoint(0, WEIGHTS), checkpoint(5, WEIGHTS, state), checkpoint(10, WEIGHTS)]
    write_trajectory(tmp_path / "trajectory.h5", ORIGIN, [0, 5, 10], 5, rows)
    with open_trajectory(tmp_path / "trajectory.h5") as opened:
        yield opened


def test_trajectory_reads_back(trajectory):
    assert trajectory.origin == ORIGIN
    assert trajectory.steps == [0, 5, 10]
    assert trajectory.epochs == [0.0, 1.0, 2.0]
    assert trajectory.weights(1)["layer.weight"].tolist() == [[5] * 3] * 2
    assert trajectory.weights(-1)["layer.weight"][0, 0] == 10
    assert trajectory.buffers(1)["mean"].tolist() == [5, 5]
    assert trajectory.buffers(1)["count"] == 5
    assert trajectory.metrics()["train/loss"].tolist() == [0, 2.5, 5]
    assert trajectory.index_of(10) == 2


def test_optimizer_state_is_kept_at_split_steps_only(trajectory):
    assert trajectory.optimizer(5)["layer.weight"]["momentum"].tolist() == [[1] * 3] * 2
    with pytest.raises(SpecflowError, match=r"no optimizer state at step 10.*\[5\]"):
        trajectory.optimizer(10)


def test_step_that_was_not_kept_is_refused(trajectory):
    with pytest.raises(SpecflowError, match=r"step 7 was not kept; expected \[0, 5, 10\]"):
        trajectory.index_of(7)


def test_checkpoints_are_read_one_at_a_time(tmp_path):
    alive = []

    def checkpoints():
        for step in range(4):
            alive.append(step)
            yield checkpoint(step, WEIGHTS)
            assert alive == [step]  # the next one is asked for when this one is written
            alive.clear()

    write_trajectory(tmp_path / "t.h5", ORIGIN, [0, 1, 2, 3], 1, checkpoints())


def test_failure_of_a_checkpoint_leaves_no_file(tmp_path):
    def checkpoints():
        yield checkpoint(0, WEIGHTS)
        raise SpecflowError("scratch is broken")

    with pytest.raises(SpecflowError, match="scratch is broken"):
        write_trajectory(tmp_path / "t.h5", ORIGIN, [0, 1], 1, checkpoints())
    assert list(tmp_path.iterdir()) == []


def test_missing_checkpoint_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_trajectory(tmp_path / "t.h5", ORIGIN, [0, 1], 1, [checkpoint(0, WEIGHTS)])
    assert list(tmp_path.iterdir()) == []
