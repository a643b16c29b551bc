"""What the stages of a lottery ticket depend on beside the runs of its experiment."""

from specflow.interventions.masks import Kind
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Count, Fraction, Index, Name, Section, Seeds, Steps
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
    """What is measured of a ticket, and between it and its source.

    Attributes:
        seeds: Seeds of its runs.
        num_checkpoints: Kept steps of a run.
        run: Settings of the experiment's networks.
        spectra: What is stored of every matrix.
        pruning: What is kept of every spectrum.
        pruned_steps: Steps whose network is pruned: from the rewind step on the split steps of the
            experiment, and the last one.
    """

    seeds: Seeds
    num_checkpoints: Count
    run: ProblemSettings
    spectra: SpectraParams
    pruning: PruningParams
    pruned_steps: Steps
