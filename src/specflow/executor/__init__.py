"""Where members run: processes of this machine, on its cores or GPUs, or the nodes of a cluster."""

from specflow.executor.cores import num_workers
from specflow.executor.members import run_in_slots, run_members
from specflow.executor.orphans import exit_with_dvc
from specflow.executor.processes import Report
from specflow.executor.slots import Needs, Slot

__all__ = [
    "Needs",
    "Report",
    "Slot",
    "exit_with_dvc",
    "num_workers",
    "run_in_slots",
    "run_members",
]
