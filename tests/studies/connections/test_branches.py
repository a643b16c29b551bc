from specflow import paths
from specflow.studies.connections.branches import Branch, branches_of, path_groups_of
from specflow.studies.connections.settings import Branches, PerturbationParams

PLAIN = Branches(trunk_seeds=(0, 1, 2), split_steps=(0, 4), num_branches=3, perturbation=None)
PERTURBED = PLAIN.model_copy(
    update={"perturbation": PerturbationParams(split_step=4, scales=(0.5, 1.0))}
)


def test_every_trunk_branches_at_every_split_step():
    branches = branches_of(PLAIN)
    assert len(branches) == len(set(branches)) == 3 * 2 * 3
    assert {branch.scale for branch in branches} == {0.0}


def test_perturbed_branches_come_on_top_at_one_split_step():
    branches = branches_of(PERTURBED)
    assert branches[:18] == branches_of(PLAIN)
    assert {branch[1] for branch in branches[18:]} == {4}
    assert [branch.scale for branch in branches[18:]].count(0.5) == 3 * 3


def test_paths_within_a_trunk_join_every_two_branches():
    groups = path_groups_of(PLAIN, across_trunks=False)
    assert {group.relation for group in groups} == {"within"}
    assert [(group.trunks, group.split_step) for group in groups[:3]] == [
        ("0", 0),
        ("0", 4),
        ("1", 0),
    ]
    assert groups[1].endpoints == {
        "0-1": (Branch(0, 4, 0), Branch(0, 4, 1)),
        "0-2": (Branch(0, 4, 0), Branch(0, 4, 2)),
        "1-2": (Branch(0, 4, 1), Branch(0, 4, 2)),
    }


def test_paths_across_trunks_join_branches_of_one_number():
    groups = [g for g in path_groups_of(PLAIN, across_trunks=True) if g.relation == "across"]
    assert [g.trunks for g in groups] == ["0-1", "0-1", "0-2", "0-2", "1-2", "1-2"]
    assert groups[3].endpoints == {
        str(number): (Branch(0, 4, number), Branch(2, 4, number)) for number in range(3)
    }


def test_perturbed_paths_join_branches_of_one_trunk_and_scale():
    groups = [g for g in path_groups_of(PERTURBED, False) if g.relation == "perturbed"]
    assert [(g.trunks, g.split_step, g.scale) for g in groups[:2]] == [("0", 4, 0.5), ("0", 4, 1.0)]
    assert groups[1].endpoints["0-2"] == (Branch(0, 4, 0, 1.0), Branch(0, 4, 2, 1.0))
    assert len(groups) == 3 * 2


def test_every_endpoint_is_a_branch_and_every_group_and_branch_has_its_place():
    groups, branches = path_groups_of(PERTURBED, True), branches_of(PERTURBED)
    ends = {end for group in groups for pair in group.endpoints.values() for end in pair}
    assert ends == set(branches)
    assert len({paths.branch("c", *branch) for branch in branches}) == len(branches)
    places = {paths.connection("c", g.trunks, g.split_step, g.scale) for g in groups}
    assert len(places) == len(groups)


def test_scales_are_told_apart_in_names():
    assert paths.branch_name(0, 216, 1, 0.5) == "seed0_step216_scale0.5_branch1"
    assert paths.branch_name(0, 216, 1) == "seed0_step216_branch1"
    assert paths.split_name("0-1", 216) == "seed0-1_step216"
    assert paths.split_name(0, 4, 0.12345671) != paths.split_name(0, 4, 0.12345672)
