"""One small member, sent to the cluster and back, that tells what it met there."""

import json
import os
import platform
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from specflow import paths
from specflow.errors import SpecflowError
from specflow.executor.members import run_members
from specflow.executor.slurm.members import cpu_kind
from specflow.executor.slurm.settings import cluster_here
from specflow.scratch import Work
from specflow.textfiles import write_text


@dataclass(frozen=True)
class Check:
    """A member that looks around."""

    token: str

    @property
    def work(self) -> Work:
        """What makes it another one each time."""
        return Work("check", (self.token,))

    @property
    def target(self) -> Path:
        """Where it writes what it saw."""
        return paths.cluster_root() / f"check-{self.token}.json"

    @property
    def lock(self) -> Path:
        """What the process that sent it holds meanwhile."""
        return self.target.with_suffix(".lock")


def check_cluster() -> str:
    """Send one small member through all that others go through; return what it met, in lines.

    Raises:
        SpecflowError: If there is no cluster, SLURM refuses, or a node cannot do what members do.
    """
    if cluster_here() is None:
        raise SpecflowError("SPECFLOW_CLUSTER: is not set; expected the place of a cluster.yaml")
    check = Check(uuid.uuid4().hex[:8])
    check.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(check.lock, fallback_to_soft=False):
            run_members(look_around, {"check": check}, title="check", total=1)
        there = json.loads(check.target.read_text())
    finally:
        for path in (check.target, check.lock):
            path.unlink(missing_ok=True)
    here = _seen()
    lines = [f"{name}: {value}{_unlike(value, here[name])}" for name, value in there.items()]
    shared = f"folder: {check.target.parent} is shared, and its locks are"
    return "\n".join(
        [shared, *lines, f"{paths.cluster_file()}: a member was sent, ran, and is back"]
    )


def look_around(check: Check, report: Callable[[int], None]) -> None:
    """Write down what this machine is, if a lock that another one holds is seen.

    Raises:
        SpecflowError: If it is not: two members of one result would not keep each other out.
    """
    if not check.lock.exists():
        raise SpecflowError(f"{check.lock}: not there; expected a folder that all nodes share")
    try:
        with FileLock(check.lock, timeout=0, fallback_to_soft=False):
            raise SpecflowError(f"{check.lock}: not locked here; expected a folder with flock")
    except Timeout:
        write_text(check.target, json.dumps(_seen()))
        report(1)


def _seen() -> dict[str, str]:
    import torch  # here, since a command line begins without

    from specflow.device import choose_device

    return {
        "partition": os.environ.get("SLURM_JOB_PARTITION", ""),
        "node": os.environ.get("SLURMD_NODENAME", platform.node()),
        "cores": os.environ.get("SLURM_CPUS_PER_TASK", ""),
        "device": choose_device().type,
        "CPU": cpu_kind(),
        "Python": sys.version.split()[0],
        "torch": str(torch.__version__),
        "code": str(Path(__file__).parents[2]),
    }


def _unlike(there: str, here: str) -> str:
    return f" (here {here})" if here and there != here else ""
