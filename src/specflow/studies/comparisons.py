"""Experiments that are to be compared, found by what they differ in: one number, or the labels."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

from specflow.section import Name, NonNegative, Section

if TYPE_CHECKING:  # what reads the groups alone is not to import, or depend on, all of these
    from specflow.datasets.dataset import DatasetSection
    from specflow.studies.experiments.study import ExperimentParams
    from specflow.training.settings import TrainingParams

_LEAST_SERIES = 3


class DecaySeries(Section):
    """Experiments that differ in nothing but weight decay, three or more.

    Attributes:
        base: The experiment with the weight decay of its task, or else the first one declared.
        weight_decays: Weight decay of every experiment.
    """

    base: Name
    weight_decays: dict[Name, NonNegative]

    @property
    def ascending(self) -> list[str]:
        """All experiments by weight decay (the order of keys is lost in a config file)."""
        return sorted(self.weight_decays, key=lambda name: (self.weight_decays[name], name))

    @property
    def variants(self) -> set[str]:
        """All experiments but the base."""
        return set(self.weight_decays) - {self.base}


class LabelPair(Section):
    """Two experiments that differ in nothing but whether their training labels are permuted."""

    true_labels: Name
    random_labels: Name


class Groups(Section):
    """All comparisons of a params.yaml.

    Attributes:
        weight_decay: Series by the name of their base.
        labels: Pairs by the name of the experiment with true labels.
    """

    weight_decay: dict[Name, DecaySeries]
    labels: dict[Name, LabelPair]

    @property
    def experiments(self) -> set[str]:
        """All experiments that some comparison shows."""
        in_series = {name for series in self.weight_decay.values() for name in series.weight_decays}
        pairs = self.labels.values()
        return in_series | {name for p in pairs for name in (p.true_labels, p.random_labels)}

    @property
    def variants(self) -> set[str]:
        """Experiments that only stand beside the base of their series of weight decays."""
        return {name for series in self.weight_decay.values() for name in series.variants}


def groups_of(
    experiments: "Mapping[str, ExperimentParams]",
    datasets: "Mapping[str, DatasetSection]",
    tasks: "Mapping[str, TrainingParams]",
) -> Groups:
    """Return every comparison that experiments allow, merged with their tasks, in their order."""
    families: dict[str, dict[str, ExperimentParams]] = defaultdict(dict)  # by all but weight decay
    for name, experiment in experiments.items():
        optimizer = experiment.optimizer.model_copy(update={"weight_decay": 0.0})
        common = _but_splits(experiment).model_copy(update={"optimizer": optimizer})
        families[common.model_dump_json()][name] = experiment
    series = (_series(family, tasks) for family in families.values())
    pairs = (
        LabelPair(true_labels=true, random_labels=random)
        for (true, first), (random, second) in product(experiments.items(), repeat=2)
        if _differ_in_labels(first, second, datasets)
    )
    return Groups(
        weight_decay={one.base: one for one in series if one is not None},
        labels={pair.true_labels: pair for pair in pairs},
    )


def _but_splits(experiment: "ExperimentParams") -> "ExperimentParams":
    """Leave out where optimizer state is kept, which changes nothing of a run."""
    checkpoints = experiment.checkpoints.model_copy(update={"split_steps": ()})
    return experiment.model_copy(update={"checkpoints": checkpoints})


def _series(
    family: "Mapping[str, ExperimentParams]", tasks: "Mapping[str, TrainingParams]"
) -> DecaySeries | None:
    decays = {name: experiment.optimizer.weight_decay for name, experiment in family.items()}
    if len(set(decays.values())) < _LEAST_SERIES:
        return None
    first, experiment = next(iter(family.items()))
    own = tasks[experiment.task].optimizer.weight_decay
    base = next((name for name, decay in decays.items() if decay == own), first)
    return DecaySeries(base=base, weight_decays=decays)


def _differ_in_labels(
    true: "ExperimentParams", random: "ExperimentParams", datasets: "Mapping[str, DatasetSection]"
) -> bool:
    first, second = datasets[true.dataset], datasets[random.dataset]
    if getattr(first, "permuted_labels", True) or not getattr(second, "permuted_labels", False):
        return False
    unpermuted = second.model_copy(update={"permuted_labels": False})
    relabelled = random.model_copy(update={"dataset": true.dataset})
    return unpermuted == first and _but_splits(relabelled) == _but_splits(true)
