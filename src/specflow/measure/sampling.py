"""Samples from the final weights of a run, whole and with a part of every spectrum removed.

Layout of the file (version 1), N images of C channels, H x W pixels:
    /low (C,), /high (C,): values of black and of full light
    /<keep>/<keep_fraction> (N, C, H, W) float32, in the units of the training images; image i of
        every variant is made from the same noise
"""

from dataclasses import dataclass
from pathlib import Path

import h5py

from specflow.device import choose_device, make_deterministic
from specflow.executor import Report
from specflow.hdf5 import create, write
from specflow.layouts import SAMPLES
from specflow.measure.evaluation import (
    Pruned,
    Variant,
    final_weights,
    load_changed,
    pruning_variants,
    variant_group,
)
from specflow.models import Network
from specflow.params.samples import SampleParams
from specflow.params.tasks import InterventionParams, RunParams
from specflow.tasks import GenerativeTask, load_task


@dataclass(frozen=True)
class SamplingJob:
    """One set of samples: what is sampled, the run's config, its trajectory, the result's place."""

    params: SampleParams
    interventions: InterventionParams
    run: RunParams
    source: Path
    target: Path

    @property
    def num_variants(self) -> int:
        """Number of networks to be sampled."""
        return 1 + len(pruning_variants(self.interventions))


def measure_samples(job: SamplingJob, report: Report) -> None:
    """Sample the full model and every pruning, all images of one in a batch.

    The data are loaded for what black and full light are, and for BatchNorm statistics if the
    network keeps any.

    Args:
        job: The set.
        report: Called with 1 after each network.

    Raises:
        SpecflowError: If the trajectory or the data are broken, or the result cannot be written.
    """
    device = choose_device()
    make_deterministic(device)
    task = load_task(job.run, device)
    assert isinstance(task, GenerativeTask)  # params.yaml names an experiment of such a problem
    model = task.build_model()
    weights = final_weights(job.source, task)
    pruned = Pruned(weights, model.wiring)
    with create(job.target, SAMPLES, {}) as file:
        for name, values in zip(("low", "high"), task.value_range(), strict=True):
            write(file, name, values.cpu().numpy())
        model.load_state_dict(weights)
        _sample(file, ("full", 1.0), task, model, job.params)
        report(1)
        for variant in pruning_variants(job.interventions):
            load_changed(task, model, pruned.weights(variant), job.interventions)
            _sample(file, variant, task, model, job.params)
            report(1)


def _sample(
    file: h5py.File, variant: Variant, task: GenerativeTask, model: Network, params: SampleParams
) -> None:
    images = task.sample(model, params.num_images, params.noise_seed)
    write(file, variant_group(variant), images.cpu().numpy())
