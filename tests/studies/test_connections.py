"""Branches and paths of a connection, and the tables of what is measured along them."""

import h5py
import numpy as np
import pytest

from specflow import paths
from specflow.errors import BrokenFileError
from specflow.hdf5 import create, write
from specflow.measure.layouts import CONNECTION
from specflow.studies.connections.settings import (
    Branch,
    Branches,
    PerturbationParams,
    branches_of,
    path_groups_of,
)
from specflow.studies.connections.study import CollectedConnection, ConnectionParams

PLAIN = Branches(trunk_seeds=(0, 1, 2), split_steps=(0, 4), num_branches=3, perturbation=None)
PERTURBED = PLAIN.model_copy(
    update={"perturbation": PerturbationParams(split_step=4, scales=(0.5, 1.0))}
)


def paths_of(branches, relation):
    return [g for g in path_groups_of(branches, across_trunks=True) if g.relation == relation]


def test_every_trunk_branches_at_every_split_step():
    branches = branches_of(PLAIN)
    assert len(branches) == len(set(branches)) == 3 * 2 * 3
    assert {branch.scale for branch in branches} == {0.0}


def test_perturbed_branches_come_on_top_at_one_split_step():
    branches = branches_of(PERTURBED)
    assert branches[:18] == branches_of(PLAIN)
    assert {branch.split_step for branch in branches[18:]} == {4}
    assert [branch.scale for branch in branches[18:]].count(0.5) == 3 * 3


def test_paths_within_a_trunk_join_every_two_branches():
    groups = path_groups_of(PLAIN, across_trunks=False)
    assert groups == paths_of(PLAIN, "within")
    assert [group.split_point for group in groups[:3]] == [("0", 0, 0), ("0", 4, 0), ("1", 0, 0)]
    assert groups[1].endpoints == {
        "0-1": (Branch(0, 4, 0), Branch(0, 4, 1)),
        "0-2": (Branch(0, 4, 0), Branch(0, 4, 2)),
        "1-2": (Branch(0, 4, 1), Branch(0, 4, 2)),
    }


def test_paths_across_trunks_join_branches_of_one_number():
    groups = paths_of(PLAIN, "across")
    trunks = ["0-1", "0-1", "0-2", "0-2", "1-2", "1-2"]
    assert [group.split_point[0] for group in groups] == trunks
    assert groups[3].endpoints == {
        str(number): (Branch(0, 4, number), Branch(2, 4, number)) for number in range(3)
    }


def test_perturbed_paths_join_branches_of_one_trunk_and_scale():
    groups = paths_of(PERTURBED, "perturbed")
    assert [group.split_point for group in groups[:2]] == [("0", 4, 0.5), ("0", 4, 1.0)]
    assert groups[1].endpoints["0-2"] == (Branch(0, 4, 0, 1.0), Branch(0, 4, 2, 1.0))
    assert len(groups) == 3 * 2


def test_every_endpoint_is_a_branch_and_every_group_and_branch_has_its_place():
    groups, branches = path_groups_of(PERTURBED, True), branches_of(PERTURBED)
    ends = {end for group in groups for pair in group.endpoints.values() for end in pair}
    assert ends == set(branches)
    assert len({paths.branch("c", *branch) for branch in branches}) == len(branches)
    places = {paths.connection("c", *group.split_point) for group in groups}
    assert len(places) == len(groups)


def test_scales_are_told_apart_in_names():
    assert paths.branch_name(0, 216, 1, 0.5) == "seed0_step216_scale0.5_branch1"
    assert paths.branch_name(0, 216, 1) == "seed0_step216_branch1"
    assert paths.split_name("0-1", 216) == "seed0-1_step216"
    assert paths.split_name(0, 4, 0.12345671) != paths.split_name(0, 4, 0.12345672)


COLLECTED = CollectedConnection(
    experiment="run",
    trunk_seeds=(0, 1),
    split_steps=(0, 4),
    num_branches=2,
    perturbation=PerturbationParams(split_step=4, scales=(0.5,)),
    across_trunks=True,
    matrices=("w",),
    metrics=("loss",),
)
PATH = ["connection", "relation", "trunks", "split_step", "scale", "branches"]


@pytest.fixture
def tables(workplace):
    """Tables of a connection: every path of a group has a barrier of its own."""
    for place, group in enumerate(path_groups_of(COLLECTED, True)):
        with create(paths.connection("line", *group.split_point), CONNECTION, {}) as file:
            write(file, "alpha", np.array([0.0, 0.5, 1.0]))
            for number, name in enumerate(group.endpoints):
                write_path(file.create_group(name), place + number / 10)
    return ConnectionParams.tables({"line": COLLECTED})


def write_path(group: h5py.Group, barrier: float) -> None:
    for keep in ("full/1.0", "top/0.5", "bottom/0.5"):
        metrics = ("train/loss", "validation/loss", "validation/loss_baseline", "validation/other")
        for metric in metrics:
            name = f"curves/{keep}/{metric}"
            write(group, name, np.array([1.0, 2.0, 3.0]))
            group[name].attrs["barrier"] = barrier
    diagonal = barrier / (1 + np.arange(40))
    write(group, "agreement/w", diagonal)
    group["agreement/w"].attrs["score"] = 0.5


def test_every_row_says_which_path_it_is_of(tables):
    barriers = tables["barriers"]
    assert list(barriers) == [*PATH, "split", "keep", "keep_fraction", "metric", "barrier"]
    rows = barriers[(barriers["keep"] == "full") & (barriers["split"] == "train")]
    assert rows[[*PATH[1:], "barrier"]].to_numpy().tolist() == [
        ["within", "0", 0, 0.0, "0-1", 0.0],
        ["within", "0", 4, 0.0, "0-1", 1.0],
        ["within", "1", 0, 0.0, "0-1", 2.0],
        ["within", "1", 4, 0.0, "0-1", 3.0],
        ["across", "0-1", 0, 0.0, "0", 4.0],
        ["across", "0-1", 0, 0.0, "1", 4.1],
        ["across", "0-1", 4, 0.0, "0", 5.0],
        ["across", "0-1", 4, 0.0, "1", 5.1],
        ["perturbed", "0", 4, 0.5, "0-1", 6.0],
        ["perturbed", "1", 4, 0.5, "0-1", 7.0],
    ]
    assert len(barriers) == 10 * 3 * 2
    assert set(barriers["metric"]) == {"loss"}


def test_points_are_of_validation_data_and_paths_within_a_trunk(tables):
    curves, about = tables["interpolation"], ["connection", "trunks", "split_step", "branches"]
    columns = ["alpha", "keep", "keep_fraction", "metric", "value"]
    assert list(curves) == [*about, *columns]
    assert curves.iloc[:3].to_numpy().tolist() == [
        ["line", "0", 0, "0-1", alpha, "full", 1.0, "loss", value]
        for alpha, value in ((0.0, 1.0), (0.5, 2.0), (1.0, 3.0))
    ]
    counts = curves.groupby("keep").size().to_dict()
    assert counts == dict.fromkeys(("full", "top", "bottom"), 4 * 3)


def test_scores_of_endpoints(tables):
    agreement = tables["endpoint_agreement"]
    assert list(agreement) == [*PATH, "matrix", "agreement_score"]
    assert agreement[["matrix", "agreement_score"]].iloc[0].tolist() == ["w", 0.5]
    assert tables["connections"].to_numpy().tolist() == [["line", "run"]]


def test_diagonals_are_means_over_the_paths_of_a_split_point(tables):
    means = {  # of what `tables` gives the paths: of trunks, or of pairs of branches
        ("within", 0, 0.0): (0 + 2) / 2,
        ("within", 4, 0.0): (1 + 3) / 2,
        ("across", 0, 0.0): (4 + 4.1) / 2,
        ("across", 4, 0.0): (5 + 5.1) / 2,
        ("perturbed", 4, 0.5): (6 + 7) / 2,
    }
    diagonals = tables["endpoint_diagonal"]
    points = diagonals.groupby(["relation", "split_step", "scale"], sort=False)
    assert [point for point, _ in points] == list(means)
    for point, rows in points:
        assert set(rows["matrix"]) == {"w"}
        assert {1, 2, 10, 40} <= set(rows["index"])
        assert rows["mean"].to_numpy() == pytest.approx(means[point] / rows["index"].to_numpy())


def test_a_missing_group_is_named(tables):
    paths.connection("line", "0-1", 4).unlink()
    with pytest.raises(BrokenFileError, match=r"seed0-1_step4\.h5: there is no such file"):
        ConnectionParams.tables({"line": COLLECTED})
