import csv
from pathlib import Path

import numpy as np
import pytest

from specflow import paths
from specflow.errors import SpecflowError
from specflow.hdf5 import create, write
from specflow.layouts import CONNECTION
from specflow.lines import line_groups_of
from specflow.params.resolve import BranchPerturbationParams, CollectedConnection, CollectParams
from specflow.tables.connections import write_connection_tables
from specflow.trajectory import Checkpoint, Origin, write_trajectory

ENTRY = CollectedConnection(
    connection="line",
    experiment="run",
    trunk_seeds=(0, 1),
    split_steps=(0, 4),
    num_branches=2,
    perturbation=BranchPerturbationParams(split_step=4, scales=(0.5,), batch_norm_samples=10),
    across_trunks=True,
)
PARAMS = CollectParams(
    suites={}, experiments={}, samples={}, tickets={}, connections={"line": ENTRY}
)


@pytest.fixture
def tables(workplace: Path) -> Path:
    """The results of a connection: every line of a group has a barrier of its own."""
    origin = Origin("", 0, 0, 0, 0.0, "", "cpu", "")
    checkpoints = [Checkpoint(step, {}, {}, {"train/loss": 0.0}, None) for step in (0, 4)]
    for seed in ENTRY.trunk_seeds:
        write_trajectory(paths.trajectory("run", seed), origin, [0, 4], 2, checkpoints)
    for place, group in enumerate(line_groups_of(ENTRY, True)):
        target = paths.connection("line", group.trunks, group.split_step, group.scale)
        with create(target, CONNECTION, {}) as file:
            write(file, "alpha", np.array([0.0, 0.5, 1.0]))
            for number, name in enumerate(group.lines):
                curve = write(file, f"{name}/curves/full/1.0/train/loss", np.zeros(3))
                curve.attrs["barrier"] = place + number / 10
                write(file, f"{name}/agreement/w", np.ones(1)).attrs["score"] = 0.5
                write(file, f"{name}/ranks/w", np.ones(3))
                write(file, f"{name}/ranks/v", np.array([0.5, 0.0, 0.5]))
                for keep in ("top", "bottom"):
                    file.create_group(f"{name}/curves/{keep}")
    return workplace / "tables"


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def test_every_row_says_which_line_it_is_of(tables):
    write_connection_tables(tables, PARAMS)
    rows = rows_of(tables / "barriers.csv")
    names = ("relation", "trunks", "split_step", "split_epoch", "scale", "branches", "barrier")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("within", "0", "0", "0", "0", "0-1", "0"),
        ("within", "0", "4", "2", "0", "0-1", "1"),
        ("within", "1", "0", "0", "0", "0-1", "2"),
        ("within", "1", "4", "2", "0", "0-1", "3"),
        ("across", "0-1", "0", "0", "0", "0", "4"),
        ("across", "0-1", "0", "0", "0", "1", "4.1"),
        ("across", "0-1", "4", "2", "0", "0", "5"),
        ("across", "0-1", "4", "2", "0", "1", "5.1"),
        ("perturbed", "0", "4", "2", "0.5", "0-1", "6"),
        ("perturbed", "1", "4", "2", "0.5", "0-1", "7"),
    ]


def test_all_tables_of_lines_begin_with_the_same_columns(tables):
    write_connection_tables(tables, PARAMS)
    for name, columns in {
        "interpolation": "alpha split keep keep_fraction metric value",
        "barriers": "split keep keep_fraction metric barrier",
        "end_agreement": "matrix agreement_score",
        "interpolation_ranks": "alpha normalized_effective_rank",
    }.items():
        line = "connection relation trunks split_step split_epoch scale branches"
        assert list(rows_of(tables / f"{name}.csv")[0]) == f"{line} {columns}".split()
    assert rows_of(tables / "connections.csv") == [{"connection": "line", "experiment": "run"}]


def test_ranks_along_a_line_are_means_over_matrices(tables):
    write_connection_tables(tables, PARAMS)
    ranks = rows_of(tables / "interpolation_ranks.csv")[:3]
    assert [row["normalized_effective_rank"] for row in ranks] == ["0.75", "0.5", "0.75"]


def test_a_missing_group_is_named(tables):
    paths.connection("line", "0-1", 4).unlink()
    with pytest.raises(SpecflowError, match=r"seed0-1_step4\.h5: there is no such file"):
        write_connection_tables(tables, PARAMS)
