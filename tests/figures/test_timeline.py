import numpy as np
import pytest
from matplotlib.figure import Figure

from specflow.figures.section import AxisParams, CheckpointsFigureParams
from specflow.figures.timeline import Timeline

CHECKPOINTS = np.array([0.0, 1.0, 2.0, 10.0, 30.0])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_checkpoint_lies_in_its_own_cell(scale):
    edges = Timeline("epoch", scale).edges(CHECKPOINTS)
    assert np.all(np.diff(edges) > 0)
    assert np.all(edges[:-1] <= CHECKPOINTS)
    assert np.all(edges[1:] >= CHECKPOINTS)
    assert (edges[0], edges[-1]) == (0.0, 30.0)


def test_linear_edges_lie_halfway():
    edges = Timeline("epoch", "linear").edges(CHECKPOINTS)
    np.testing.assert_allclose(edges, [0, 0.5, 1.5, 6, 20, 30])


def test_log_edges_lie_halfway_as_they_are_seen():
    edges = Timeline("epoch", "log").edges(CHECKPOINTS)
    axes = Figure().subplots()
    Timeline("epoch", "log").apply(axes, CHECKPOINTS)

    def seen(x):
        return axes.transData.transform(np.column_stack([x, np.zeros(len(x))]))[:, 0]

    middle = (seen(CHECKPOINTS)[1:] + seen(CHECKPOINTS)[:-1]) / 2
    np.testing.assert_allclose(seen(edges)[1:-1], middle)


def test_a_single_checkpoint_has_a_cell():
    np.testing.assert_array_equal(Timeline("step", "log").edges(np.array([7.0])), [6.5, 7.5])


@pytest.mark.parametrize(("time", "label"), [(1_430_000.0, "1430000"), (0.0, "0"), (2.5, "2.5")])
def test_a_single_checkpoint_is_the_one_tick(time, label):
    axes = Figure().subplots()
    Timeline("step", "log").apply(axes, [time, time])
    assert axes.get_xticks().tolist() == [time]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [label]


def test_a_log_axis_shows_step_zero_and_true_numbers():
    axes = Figure().subplots()
    Timeline("step", "log").apply(axes, np.array([0.0, 40.0, 500.0, 20000.0]))
    assert axes.get_xlim() == (0.0, 20000.0)
    assert axes.get_xticks().tolist() == [0, 100, 1000, 10000]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "100", "1000", "10000"]
    assert axes.get_xlabel() == "step"


def test_a_short_log_axis_has_ticks_between_powers_of_ten():
    axes = Figure().subplots()
    Timeline("epoch", "log").apply(axes, np.array([0.0, 1.0, 25.0]))
    assert axes.get_xticks().tolist() == [0, 1, 3, 10]


@pytest.mark.parametrize(
    ("steps", "asked", "scale"),
    [
        ((0, 1, 2, 4, 8, 512, 1000), "auto", "log"),
        ((0, 100, 200, 300), "auto", "linear"),
        ((0, 100, 200, 300), "log", "log"),
        ((0, 1, 2, 4, 8, 512, 1000), "linear", "linear"),
        ((7,), "auto", "linear"),
    ],
)
def test_axis_of_steps_is_log_where_half_of_them_are_in_its_first_tenth(steps, asked, scale):
    assert Timeline.of(CheckpointsFigureParams(scale=asked), steps) == Timeline("step", scale)
    assert Timeline.of(AxisParams(scale="log"), steps) == Timeline("epoch", "log")


def test_first_checkpoint_has_a_tick_on_a_log_axis():
    for steps, first in (((16, 100, 143000), 16), ((0, 16, 143000), 0), ((90, 1000, 10**6), 90)):
        axes = Figure().subplots()
        Timeline("step", "log").apply(axes, steps)
        ticks = axes.get_xticks()
        assert ticks[0] == first
        assert (ticks[2:] >= 2 * ticks[1:-1]).all()
