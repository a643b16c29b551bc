"""What the stages of an experiment depend on beside their data."""

from specflow.datasets.shapes import DataShape
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.models.network import Model
from specflow.problems.settings import ProblemSettings
from specflow.section import Count, Section, Seeds


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
