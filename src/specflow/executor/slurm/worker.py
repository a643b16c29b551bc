"""A task of an array: `python -m specflow.executor.slurm.worker FOLDER SECONDS` runs its members.

It takes one after the other, as long as the next would end within SECONDS if that took as long as
the longest before it.
"""

import os
import sys
import time
import traceback
from collections import defaultdict
from pathlib import Path

from specflow.errors import SpecflowError
from specflow.executor.slurm.arrays import Array
from specflow.executor.slurm.members import Folder

_OFTEN = 1  # second between two notes of progress


def main(array: Path, seconds: float) -> None:
    """Run members of the array in this folder until none is left, or time runs short."""
    started = begun = time.monotonic()
    longest = 0.0
    job = "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID} ({SLURM_JOB_ID}) on {SLURMD_NODENAME}"
    print(job.format_map(defaultdict(str, os.environ)), flush=True)
    for name in ("SPECFLOW_CLUSTER", "SPECFLOW_REPRO"):  # of the process that submitted it
        os.environ.pop(name, None)
    os.environ["SPECFLOW_WORKERS"] = os.environ["SLURM_CPUS_PER_TASK"]
    for folder in Array(array).take(int(os.environ["SLURM_ARRAY_TASK_ID"])):
        if folder.is_due(array.name) and not _run(folder, array.name):
            break
        now = time.monotonic()
        longest, begun = max(longest, now - begun), now
        if now - started + longest > seconds:
            break


def _run(folder: Folder, array: str) -> bool:
    """Run a member and note how it ended; return whether this process is fit for another one."""
    place, function, job = folder.job()
    os.chdir(place)
    print(folder.path.name, flush=True)
    error, progress = None, _Progress(folder)
    try:
        function(job, progress)
    except Exception as raised:  # of any type: it goes on in the process that submitted it
        traceback.print_exc()
        error = raised
    folder.report(progress.units)
    folder.finish(array, error)
    return error is None or isinstance(error, SpecflowError)


class _Progress:
    """Notes units of work, not too often: the folder is shared by all nodes."""

    def __init__(self, folder: Folder) -> None:
        self.units, self._folder, self._noted = 0, folder, 0.0
        folder.report(0)

    def __call__(self, units: int) -> None:
        self.units += units
        if time.monotonic() - self._noted > _OFTEN:
            self._folder.report(self.units)
            self._noted = time.monotonic()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
