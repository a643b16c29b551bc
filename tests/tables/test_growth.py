import numpy as np
import pytest

from specflow import paths
from specflow.hdf5 import create, write
from specflow.layouts import SPECTRA
from specflow.params.resolve import Collected, CollectParams
from specflow.tables.growth import growth_factors, write_growth_tables
from specflow.tables.reading import Tables

RUNS = CollectParams(
    suites={},
    experiments={"run": Collected(seeds=(0, 1), matrices=(), pairs=())},
    connections={},
    samples={},
    tickets={},
)


@pytest.fixture
def tables(workplace):
    """Spectra of two seeds, kept at steps 0, 3, 6 and 10, in tables."""
    for seed in (0, 1):
        with create(paths.spectra("run", seed), SPECTRA, {}) as file:
            write(file, "step", np.array([0, 3, 6, 10]))
            for depth, (name, length) in enumerate((("wide", 24), ("narrow", 19))):
                group = file.require_group(f"matrices/{name}")
                group.attrs["depth"] = depth
                start = np.linspace(2.0, 1.0, length)
                values = np.stack([start, start, start, start * np.r_[3.0, np.full(length - 1, 2)]])
                write(group, "singular_values", values)
                agreement = np.ones((4, length))
                agreement[1] = np.r_[np.full(10, 0.5 + seed / 4), np.full(length - 10, 0.25)]
                agreement[1, 20:] = 7.0
                write(group, "agreement", agreement)
    write_growth_tables(paths.TABLES, RUNS)
    return Tables(paths.TABLES)


def test_growth_is_from_the_first_to_the_last_step_of_every_matrix(tables):
    growth = tables["growth"]
    assert growth.column("matrix").tolist() == ["wide", "narrow"] * 2
    assert growth.numbers("top_growth").tolist() == [3.0] * 4
    assert growth.numbers("median_growth").tolist() == [2.0] * 4


def test_settling_is_at_the_last_kept_step_of_the_first_half(tables):
    settling = tables["settling"]
    assert settling.numbers("step").tolist() == [3.0, 3.0]
    assert settling.numbers("top_score").tolist() == [0.5, 0.75]
    assert settling.numbers("next_score").tolist() == [0.25, 0.25]


def test_matrices_with_fewer_than_20_directions_do_not_settle(tables):
    assert tables["settling"].distinct("matrix") == ["wide"]


def test_singular_values_that_are_zero_at_the_start_are_left_out():
    start, end = np.array([2.0, 1.0, 1e-9, 0.0]), np.array([4.0, 3.0, 1.0, 1.0])
    assert growth_factors(start, end) == (2.0, 2.5)


def test_growth_from_an_all_zero_matrix_is_not_defined():
    assert np.isnan(growth_factors(np.zeros(2), np.ones(2))).all()
