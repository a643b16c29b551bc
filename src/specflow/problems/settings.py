"""Settings of a problem: what a task reads, resolved or as a task of params.yaml has them."""

from specflow.datasets.shapes import DataShape
from specflow.models.network import Model
from specflow.problems.problem import Problem
from specflow.section import Count, Name, Section


class EvaluationParams(Section):
    """How loss and error are measured at checkpoints.

    Attributes:
        batch_size: Samples in one forward pass.
        max_train_samples: Training metrics use at most so many samples, the first of the training
            part; null means all.
    """

    batch_size: Count
    max_train_samples: Count | None


class ProblemParams(Section):
    """A learning problem, the model that is trained on it, and how it is evaluated.

    Attributes:
        problem: What is learned.
        model: What learns it.
        evaluation: How loss and error are measured at checkpoints.
    """

    problem: Problem
    model: Model
    evaluation: EvaluationParams


class ProblemSettings(ProblemParams):
    """The same on a dataset: all that a task depends on beside its data.

    Attributes:
        dataset_name: Name of the dataset.
        shape: Shape of its samples.
    """

    dataset_name: Name
    shape: DataShape
