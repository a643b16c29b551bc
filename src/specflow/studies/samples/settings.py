"""What a set of samples depends on beside the run that it samples."""

from specflow.measure.settings import PruningParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Count, Name, Section, Seed


class Sampling(Section):
    """What is sampled, from the same noise for every pruning.

    Attributes:
        experiment: The experiment that is sampled; prunings are its own.
        run_seed: Which of its runs, one of `seeds`.
        num_images: Number of images of the full model and of each pruning.
        noise_seed: Seed of the noise that the images are made from.
    """

    experiment: Name
    run_seed: Seed
    num_images: Count
    noise_seed: Seed


class SampleSettings(Sampling):
    """What a set of samples depends on beside the run's checkpoints."""

    run: ProblemSettings
    pruning: PruningParams
