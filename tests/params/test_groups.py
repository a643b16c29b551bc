from pathlib import Path

import pytest
from ruamel.yaml import YAML

from specflow.params.file import load_params
from specflow.params.groups import groups_of

TINY = Path(__file__).parents[2] / "presets" / "tiny.yaml"


@pytest.fixture
def groups(tmp_path):
    """A function that adds experiments to the tiny preset and returns its groups."""

    def of(**experiments):
        yaml = YAML()
        raw = yaml.load(TINY)
        raw["datasets"]["digits_random"] = raw["datasets"]["digits"] | {"permuted_labels": True}
        raw["experiments"] |= experiments
        yaml.dump(raw, tmp_path / "params.yaml")
        return groups_of(load_params(tmp_path / "params.yaml"))

    return of


def vgg(decay, **other):
    return {"task": "digits", "dataset": "digits", "optimizer": {"weight_decay": decay}} | other


def test_experiments_that_differ_in_weight_decay_alone_are_a_series(groups):
    found = groups(strong=vgg(1e-1), none=vgg(0.0), longer=vgg(1e-2, num_epochs=3)).weight_decay
    assert list(found) == ["digits_vgg"]
    series = found["digits_vgg"]
    assert series.weight_decays == {"digits_vgg": 1e-4, "strong": 1e-1, "none": 0.0}
    assert series.ascending == ["none", "digits_vgg", "strong"]
    assert series.variants == {"none", "strong"}


def test_where_optimizer_state_is_kept_makes_no_difference(groups):
    bare = {"checkpoints": {"split_steps": []}}
    random = {"task": "digits", "dataset": "digits_random"} | bare
    found = groups(strong=vgg(1e-1, **bare), none=vgg(0.0, **bare), memorizing=random)
    assert found.weight_decay["digits_vgg"].variants == {"none", "strong"}
    assert found.labels["digits_vgg"].random_labels == "memorizing"


def test_two_weight_decays_are_no_series(groups):
    found = groups(none=vgg(0.0))
    assert found.weight_decay == {}
    assert found.variants == set()


def test_base_is_the_first_declared_where_none_has_the_value_of_the_task(groups):
    found = groups(
        b=vgg(0.2, num_epochs=3), a=vgg(0.1, num_epochs=3), c=vgg(0.3, num_epochs=3)
    ).weight_decay
    assert found["b"].variants == {"a", "c"}


def test_pair_of_labels_differs_in_nothing_else(groups):
    random = {"task": "digits", "dataset": "digits_random"}
    assert groups(memorizing=random).labels["digits_vgg"].random_labels == "memorizing"
    assert groups(memorizing=random | {"num_epochs": 3}).labels == {}
