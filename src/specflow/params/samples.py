"""Sample sections of params.yaml: new images from the final weights of a run, whole and pruned."""

from specflow.section import Count, Name, Section, Seed


class SampleParams(Section):
    """Images that a generative experiment makes, from the same noise for every pruning.

    Attributes:
        experiment: The experiment that is sampled; prunings are those of its interventions.
        run_seed: Which of its runs, one of `seeds`.
        num_images: Number of images of the full model and of each pruning.
        noise_seed: Seed of the noise that the images are made from.
    """

    experiment: Name
    run_seed: Seed
    num_images: Count
    noise_seed: Seed
