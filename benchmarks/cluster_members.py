"""100 members on 6 slots of a SLURM on this machine: what each costs beside its own start.

The cluster of the tests, three nodes of two cores on loopback; arrays of 40, so that there are
several. A member does nothing but note when its process began and ended: start is what importing
torch and specflow takes, on cores that all of them share. What is left of the wall time is SLURM's
and ours: submitting, scheduling, starting, and seeing that a member is done.

Run as `python -m benchmarks.cluster_members`.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.executor.toy_cluster import CPUS, MISSING, NODES, ToyCluster

from specflow.executor import Report, run_members
from specflow.scratch import Work
from specflow.textfiles import write_text

ROOT = Path(__file__).parents[1]
MEMBERS, SLOTS = 100, len(NODES) * CPUS
MOST = 0.2  # seconds a member
CLUSTER = "{core: {cpus: 1, minutes: 5}, machine: {cpus: 2, minutes: 5}, array_limit: 40}"


@dataclass(frozen=True)
class Nothing:
    """A member without work."""

    name: str

    @property
    def work(self) -> Work:
        """What names it."""
        return Work(self.name, ())

    @property
    def target(self) -> Path:
        """Where it notes when it began and ended."""
        return Path("results", self.name)


def note(job: Nothing, report: Report) -> None:
    """Note when this process began, and that it ends."""
    write_text(job.target, json.dumps((psutil.Process().create_time(), time.time())))
    report(1)


def main() -> None:
    """Print seconds a member beside its own start.

    Raises:
        SystemExit: If SLURM is not here, or it takes longer than asked.
    """
    if MISSING:
        raise SystemExit(f"not here: {', '.join(MISSING)}; expected Debian's packages of SLURM")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("cluster.yaml").write_text(CLUSTER)
        jobs = {f"member{n}": Nothing(f"member{n}") for n in range(MEMBERS)}
        with ToyCluster(Path(folder) / "slurm") as cluster:
            os.environ |= cluster.own | {
                "SPECFLOW_CLUSTER": "cluster.yaml",
                "PYTHONPATH": str(ROOT),
            }
            begun = time.perf_counter()
            run_members(note, jobs, title="members", total=MEMBERS)
            wall = time.perf_counter() - begun
        times = [json.loads(job.target.read_text()) for job in jobs.values()]
    own = sum(end - start for start, end in times)
    each = (wall - own / SLOTS) / MEMBERS
    print(f"{MEMBERS} members on {SLOTS} slots: {wall:.1f} s, {own / MEMBERS:.2f} s a start")
    print(f"beside it {each:.3f} s a member, of a slot {each * SLOTS:.2f} s; at most {MOST} asked")
    if each > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    from benchmarks import cluster_members  # members are found again by the name of their module

    cluster_members.main()
