"""Spectra of any checkpoints: every matrix of every step is read once and decomposed once.

Steps are measured one by one, matrices batch by batch, and each finished step is kept: so memory
is a few times the largest matrix, and a kill loses at most one step. A step is compared with the
last one and the one before; of every step the few leading singular vectors that scores are of stay
until any two are compared. `spectra_file` says what the result holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from specflow.checkpoints.base import Checkpoints
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.device import choose_device
from specflow.executor import Report, num_workers
from specflow.measure.decompositions import Decompositions
from specflow.measure.derived import DerivedSpectra
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra_file import See, write_spectra
from specflow.measure.steps import Kept, Steps
from specflow.scratch import Scratch, Work
from specflow.threads import one_thread
from specflow.wiring import Wiring

_CPU = torch.device("cpu")


def measure_spectra(
    checkpoints: Checkpoints,
    wiring: Wiring,
    settings: SpectraParams,
    target: Path,
    scratch: Scratch,
    report: Report,
    *,
    workers: int,
    device: torch.device = _CPU,
    strict: bool = False,
    see: See | None = None,
) -> None:
    """Measure every matrix and pair at every step, and write the result.

    Args:
        checkpoints: The steps.
        wiring: The matrices and pairs.
        settings: What is kept of each.
        target: Place of the result.
        scratch: Where finished steps are kept; the caller locks it, and removes it in the end.
        report: Called with 1 after each step.
        workers: Threads, one matrix each; their number changes no bit.
        device: What decomposes.
        strict: Whether a matrix that is absent or not finite is an error, not just undefined.
        see: Called with each entry of the result, as `write_spectra` does.

    Raises:
        SpecflowError: If a checkpoint is broken, a decomposition does not converge (it names the
            matrix and the step), or the disk is full.
    """
    kept = measure_steps(
        checkpoints,
        wiring,
        settings,
        range(len(checkpoints.steps)),
        scratch,
        report,
        workers=workers,
        device=device,
        strict=strict,
    )
    with one_thread():
        write_spectra(target, checkpoints.steps, wiring, settings, kept.sizes(0), kept.rows, see)


def measure_steps(
    checkpoints: Checkpoints,
    wiring: Wiring,
    settings: SpectraParams,
    some: Iterable[int],
    scratch: Scratch,
    report: Report,
    *,
    workers: int,
    device: torch.device = _CPU,
    strict: bool = False,
) -> Kept:
    """Measure some steps, ascending places from 0, and return what is kept of them in scratch.

    Arguments and errors as for `measure_spectra`.
    """
    decompositions = Decompositions(
        checkpoints,
        wiring.views,
        scratch,
        count=settings.diagonal_length,
        workers=workers,
        device=device,
        strict=strict,
    )
    families = frozenset(settings.more)
    derived = DerivedSpectra(checkpoints, wiring, families, decompositions.batches, workers, device)
    kept = Kept(scratch, len(wiring.matrices) + len(wiring.pairs))
    steps = Steps(len(checkpoints.steps), wiring, settings, kept, decompositions, derived)
    with one_thread():
        for index in some:
            steps.measure(index)
            report(1)
    return kept


@dataclass(frozen=True)
class SpectraJob:
    """A run whose spectra are measured.

    Attributes:
        source: Its trajectory.
        target: Place of the result.
        wiring: Its matrices and pairs.
        settings: What is kept of each.
        work: What determines the result.
    """

    source: Path
    target: Path
    wiring: Wiring
    settings: SpectraParams
    work: Work


def measure_run(job: SpectraJob, report: Report) -> None:
    """Measure a run as `measure_spectra` does, unless that is done; nothing may be missing.

    Raises:
        SpecflowError: As for `measure_spectra`.
    """
    scratch = job.work.scratch()
    measure = partial(
        measure_spectra,
        TrajectoryCheckpoints(job.source),
        job.wiring,
        job.settings,
        job.target,
        scratch,
        report,
        workers=num_workers(),
        device=choose_device(),
        strict=True,
    )
    scratch.make(job.target, measure)
