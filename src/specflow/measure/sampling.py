"""Samples from the final weights of a run, whole and with a part of every spectrum removed.

Layout of the file (version 1), N images of C channels, H x W pixels:
    /low (C,), /high (C,): values of black and of full light
    /<keep>/<keep_fraction> (N, C, H, W) float32, in the units of the training images; image i of
        every variant is made from the same noise
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from specflow.executor import Report
from specflow.hdf5 import create, write
from specflow.measure.evaluation import FULL, Evaluation, Pruned, Variant, pruning_variants
from specflow.measure.layouts import SAMPLES
from specflow.measure.settings import PruningParams
from specflow.problems.settings import ProblemSettings
from specflow.problems.task import GenerativeTask
from specflow.scratch import Scratch, Work


@dataclass(frozen=True)
class SamplingJob:
    """One set of samples."""

    problem: ProblemSettings
    pruning: PruningParams  # what is sampled beside the full model
    num_images: int  # of each
    noise_seed: int
    source: Path  # the run's trajectory
    target: Path
    work: Work

    @property
    def num_variants(self) -> int:
        """Number of networks to be sampled."""
        return 1 + len(pruning_variants(self.pruning))


def measure_samples(job: SamplingJob, report: Report) -> None:
    """Sample the full model and every pruning, all images of one in a batch; report each.

    The data are loaded for what black and full light are, and for BatchNorm statistics if the
    network keeps any.

    Raises:
        SpecflowError: If the trajectory or the data are broken, or the result cannot be written.
    """
    scratch = job.work.scratch()
    scratch.make(job.target, partial(_measure, job, scratch, report))


def _measure(job: SamplingJob, scratch: Scratch, report: Report) -> None:
    evaluation = Evaluation(job.problem, job.pruning)
    task, model = evaluation.task, evaluation.model
    assert isinstance(task, GenerativeTask)  # params.yaml names an experiment of such a problem
    weights = evaluation.final_weights(job.source)
    pruned = Pruned(weights, model.wiring)

    def compute(variant: Variant) -> dict[str, Tensor]:
        if variant == FULL:  # with the statistics that it was trained with
            model.load_state_dict(weights)
        else:
            evaluation.load(pruned.weights(variant))
        return {"images": task.sample(model, job.num_images, job.noise_seed).cpu()}

    with create(job.target, SAMPLES, {}) as file:
        for name, values in zip(("low", "high"), task.value_range(), strict=True):
            write(file, name, values.cpu().numpy())
        for variant in (FULL, *pruning_variants(job.pruning)):
            found = scratch.remember(variant.group.replace("/", "_"), partial(compute, variant))
            write(file, variant.group, found["images"].numpy())
            report(1)
