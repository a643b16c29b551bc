"""What the stages of a lottery ticket depend on beside the runs of its experiment."""

from specflow.datasets.shapes import DataShape
from specflow.interventions.masks import Kind
from specflow.models.network import Model
from specflow.section import Count, Fraction, Index, Name, Section, Seeds
from specflow.training.settings import RunSettings


class Ticket(Section):
    """Which weights a ticket keeps, and where it begins.

    Attributes:
        experiment: The experiment whose runs are the sources; all its seeds are run.
        kind: magnitude keeps the weights that end with the largest magnitude; random as many of
            every layer at random places; reinitialized has the magnitude mask, and its masked
            matrices are drawn anew.
        density: Share of weights kept, over all matrices but the last together.
        rewind_step: The step to whose weights and optimizer state a ticket returns, one of the
            experiment's split steps.
    """

    experiment: Name
    kind: Kind
    density: Fraction
    rewind_step: Index


class RetrainSettings(Ticket):
    """What the runs of a ticket depend on beside those of its experiment.

    Attributes:
        run: Settings of the experiment's runs.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated once the mask is on.
    """

    run: RunSettings
    batch_norm_samples: Count


class CompareSettings(Ticket):
    """What is measured between a ticket and its source."""

    seeds: Seeds
    num_checkpoints: Count
    model: Model
    shape: DataShape
    score_length: Count
