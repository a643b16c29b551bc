"""What the stages of an experiment depend on beside their data."""

from specflow.datasets.shapes import DataShape
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.models.network import Model
from specflow.problems.settings import ProblemSettings
from specflow.section import Count, Names, Section, Seeds


class SpectraSettings(Section):
    """What the spectra of an experiment's runs depend on beside their checkpoints."""

    seeds: Seeds
    num_checkpoints: Count
    model: Model
    shape: DataShape
    spectra: SpectraParams


class PruneSettings(Section):
    """What the pruned networks of an experiment's runs depend on beside their checkpoints."""

    seeds: Seeds
    num_checkpoints: Count
    run: ProblemSettings
    pruning: PruningParams


class Collected(Section):
    """What is collected of an experiment.

    Attributes:
        seeds: Its seeds.
        matrices: Matrices of which single singular values and diagonals go into tables.
        pairs: Labels of pairs whose diagonals go into tables.
    """

    seeds: Seeds
    matrices: Names
    pairs: Names
