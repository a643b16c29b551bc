"""Which experiments are compared."""

import pytest

from specflow.section import Section, Steps
from specflow.studies.comparisons import groups_of


class Optimizer(Section):
    weight_decay: float


class Checkpoints(Section):
    split_steps: Steps


class Experiment(Section):
    task: str
    dataset: str
    optimizer: Optimizer
    checkpoints: Checkpoints
    num_epochs: int


class Text(Section):
    size: int


class Digits(Text):
    permuted_labels: bool = False


DATASETS = {
    "digits": Digits(size=9),
    "random": Digits(size=9, permuted_labels=True),
    "other": Digits(size=5, permuted_labels=True),
    "text": Text(size=9),
}


def run(decay=1e-4, dataset="digits", splits=(0, 3), num_epochs=2):
    return Experiment(
        task="digits",
        dataset=dataset,
        optimizer=Optimizer(weight_decay=decay),
        checkpoints=Checkpoints(split_steps=splits),
        num_epochs=num_epochs,
    )


def groups(**experiments):
    tasks = {"digits": run()}  # of a task only its weight decay counts
    return groups_of({"vgg": run(), **experiments}, DATASETS, tasks)


def test_experiments_that_differ_in_weight_decay_alone_are_a_series():
    found = groups(strong=run(1e-1), none=run(0.0), longer=run(1e-2, num_epochs=3))
    assert list(found.weight_decay) == ["vgg"]
    series = found.weight_decay["vgg"]
    assert series.weight_decays == {"vgg": 1e-4, "strong": 1e-1, "none": 0.0}
    assert series.ascending == ["none", "vgg", "strong"]
    assert series.variants == found.variants == {"none", "strong"}
    assert found.experiments == {"vgg", "none", "strong"}


def test_where_optimizer_state_is_kept_makes_no_difference():
    found = groups(
        strong=run(1e-1, splits=()),
        none=run(0.0, splits=()),
        memory=run(dataset="random", splits=()),
    )
    assert found.weight_decay["vgg"].variants == {"none", "strong"}
    assert found.labels["vgg"].random_labels == "memory"


def test_two_weight_decays_are_no_series():
    found = groups(none=run(0.0), again=run(0.0))
    assert (found.weight_decay, found.variants) == ({}, set())


def test_base_is_the_first_declared_where_none_has_the_value_of_the_task():
    decays = {"b": 0.2, "a": 0.1, "c": 0.3}
    longer = {name: run(decay, num_epochs=3) for name, decay in decays.items()}
    assert groups(**longer).weight_decay["b"].variants == {"a", "c"}


@pytest.mark.parametrize(
    ("other", "is_pair"),
    [
        (run(dataset="random"), True),
        (run(dataset="random", num_epochs=3), False),
        (run(dataset="other"), False),
        (run(dataset="text"), False),
    ],
)
def test_pair_of_labels_differs_in_nothing_else(other, is_pair):
    labels = groups(memory=other).labels
    assert {key: pair.random_labels for key, pair in labels.items()} == (
        {"vgg": "memory"} if is_pair else {}
    )
