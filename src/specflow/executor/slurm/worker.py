"""A task of an array: `python -m specflow.executor.slurm.worker FOLDER` runs one member.

FOLDER is that of the array; its file `members` names the folder of each task's member.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

from specflow.executor.slurm.members import Folder

_OFTEN = 1  # second between two notes of progress


def main(array: str) -> None:
    """Run the member of this task, and note how it ended."""
    members = json.loads(Path(array, "members").read_text())
    place_in_array = int(os.environ["SLURM_ARRAY_TASK_ID"])
    folder = Folder(Path(members[place_in_array]))
    print(f"{os.environ.get('SLURM_JOB_ID')} on {os.environ.get('SLURMD_NODENAME')}", flush=True)
    for name in ("SPECFLOW_CLUSTER", "SPECFLOW_REPRO"):  # of the process that submitted it
        os.environ.pop(name, None)
    os.environ["SPECFLOW_WORKERS"] = os.environ["SLURM_CPUS_PER_TASK"]
    place, function, job = folder.job()
    os.chdir(place)
    error, progress = None, _Progress(folder)
    try:
        function(job, progress)
    except Exception as raised:  # of any type: it goes on in the process that submitted it
        traceback.print_exc()
        error = raised
    folder.report(progress.units)
    folder.finish((Path(array).name, place_in_array), error)


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
    main(sys.argv[1])
