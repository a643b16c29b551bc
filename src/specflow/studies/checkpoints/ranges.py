"""Steps of checkpoints in files, divided into ranges that processes of their own measure.

Each range keeps its finished steps in a folder within that of the whole, which takes them up when
the range has ended, however it did and however many there were: what there is in the end is the
same, and so is what is written of it.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch

from specflow.audit.scan import scan_name, scan_step
from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.stream import MOST, batches, contents_of
from specflow.errors import SpecflowError
from specflow.executor import Needs, Report, Slot, num_workers, run_in_slots, run_members
from specflow.executor.slurm.commands import ClusterError
from specflow.executor.slurm.settings import cluster_here
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_steps
from specflow.measure.steps import step_name
from specflow.scratch import Scratch, Work
from specflow.wiring import Wiring
from specflow.wiring.tensors import TensorInfo

_TITLE = "ranges of steps"
_FEWEST = 100  # steps that are worth a process of their own
_FEWEST_SENT = 10  # on a cluster: the two steps that each range decomposes beside are a fifth more


@dataclass(frozen=True)
class Range:
    """What one process does: to scan some steps for the audit, and measure some.

    Attributes:
        checkpoints: All steps.
        wiring: The matrices and pairs.
        settings: What is kept of each.
        tensors: How many a step has, as `scan_steps` takes it.
        scans: Places of the steps that are scanned, ascending.
        rows: Places of the steps that are measured, ascending, after that.
        scratch: Where both are kept.
    """

    checkpoints: FileCheckpoints
    wiring: Wiring
    settings: SpectraParams | None
    tensors: int
    scans: Sequence[int]
    rows: Sequence[int]
    scratch: Scratch

    @property
    def work(self) -> Work:
        """What determines what is kept: the folder, whose name does so of the whole, and steps."""
        return Work(f"ranges/{self.scratch.folder.name}", (str(self.scratch.folder),))

    @property
    def target(self) -> Path:
        """The part that is there when all are."""
        name = step_name(self.rows[-1]) if self.rows else scan_name(self.scans[-1])
        return self.scratch.folder / name

    def first(self) -> "Range":
        """Return what the range does first, alone."""
        if self.scans:
            return replace(self, scans=self.scans[:1], rows=())
        return replace(self, rows=self.rows[:1])

    def parts(self, count: int) -> dict[str, "Range"]:
        """Return up to `count` ranges of all steps, by name, with what is to be done of each."""
        steps = len(self.checkpoints.steps)
        ends = [steps * number // count for number in range(count + 1)]
        found = {f"steps {a} to {b - 1}": self._of(range(a, b)) for a, b in pairwise(ends) if a < b}
        return {name: one for name, one in found.items() if one.scans or one.rows}

    def _of(self, some: range) -> "Range":
        scans, rows = (
            [index for index in both if index in some] for both in (self.scans, self.rows)
        )
        own = self.scratch.within(f"range{some[0]:06d}-{some[-1]:06d}")
        return replace(self, scans=scans, rows=rows, scratch=own)


def num_ranges(steps: int, wiring: Wiring, workers: int) -> int:
    """Return how many ranges are fastest for missing steps: one, or one for each worker.

    To begin one costs seconds, and so many steps are to be worth it. Of large matrices, which come
    in several batches, threads side by side are as good, and take the memory of one process.
    """
    return max(min(workers, steps // _FEWEST), 1) if _needs(wiring) == "core" else 1


def _needs(wiring: Wiring) -> Needs:
    some = wiring.views[:MOST]  # of which a batch may be, however many there are
    infos = {view.tensor: TensorInfo(view.shape, torch.float32) for view in some}
    return "core" if len(batches(some, infos, 1)) <= 1 else "machine"


def _is_shared(scratch: Scratch) -> bool:
    """Return whether other machines may have the folder too: temporary files are of this one."""
    return not scratch.folder.resolve().is_relative_to(Path(tempfile.gettempdir()).resolve())


def measure_in_ranges(
    checkpoints: FileCheckpoints,
    wiring: Wiring,
    settings: SpectraParams | None,
    scratch: Scratch,
    count: int | None,
    workers: int,
) -> None:
    """Keep in scratch what is missing of the steps, by several processes.

    Args:
        checkpoints: All steps.
        wiring: The matrices and pairs.
        settings: What is kept of each; None measures none, for the audit alone.
        scratch: Where finished steps are kept; the caller has locked it.
        count: Number of ranges; of one, nothing is done. None means `num_ranges`, or on a cluster
            as many as are worth it, and all of them are sent there.
        workers: How many of them run side by side.

    Raises:
        SpecflowError: As without ranges, if a file is broken or a decomposition does not converge;
            or if a process is killed.
    """
    whole = _missing(Range(checkpoints, wiring, settings, 0, (), (), scratch))
    steps = len({*whole.scans, *whole.rows})
    sent = count is None and _is_shared(scratch) and cluster_here() is not None
    if sent:  # the same ranges each time, so that those under way are found again
        count = max(len(checkpoints.steps) // _FEWEST_SENT, 1)
    count = count or num_ranges(steps, wiring, workers)
    if not steps or (count == 1 and not sent):
        return
    whole = replace(whole, tensors=len(contents_of(checkpoints).expected))
    jobs = whole.parts(count)
    total = len(whole.scans) + len(whole.rows)
    try:
        if sent:
            run_members(measure_range, jobs, title=_TITLE, total=total, needs=_needs(wiring))
        else:
            slots = [Slot(1)] * workers
            run_in_slots(slots, measure_range, jobs, title=_TITLE, total=total)
    except SpecflowError as error:
        if isinstance(error, ClusterError):  # it says nothing of steps
            raise
        scratch.gather()
        _measure(_missing(whole).first(), lambda done: None)  # raises what one process would
        raise
    scratch.gather()


def measure_range(job: Range, report: Report) -> None:
    """Finish the steps of a range; others are kept out of its folder meanwhile.

    Raises:
        SpecflowError: If a file is broken, a decomposition does not converge, or the disk is full.
    """
    with job.scratch.locked():
        _measure(job, report)


def _measure(job: Range, report: Report) -> None:
    for index in job.scans:
        scan_step(job.checkpoints, index, job.tensors, job.scratch, num_workers())
        report(1)
    if job.settings is not None:
        given = job.checkpoints, job.wiring, job.settings, job.rows, job.scratch, report
        measure_steps(*given, workers=num_workers())


def _missing(whole: Range) -> Range:
    """Return what of all steps is not in scratch yet."""
    every, has = range(len(whole.checkpoints.steps)), whole.scratch.has
    scans = [index for index in every if not has(scan_name(index))]
    rows = [index for index in every if whole.settings and not has(step_name(index))]
    return replace(whole, scans=scans, rows=rows)
