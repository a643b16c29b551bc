"""100 members on 6 slots of a SLURM on this machine: what each costs beside its own start.

The cluster of the tests, three nodes of two cores on loopback; arrays of 40, so that there are
several. A member does nothing but note when its process began and when it is done. Start is what
importing torch and specflow takes before the first member of a process, on cores that all of them
share. What is left of the wall time is SLURM's and ours: submitting, scheduling, starting, taking
the next member, and seeing that one is done.

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
        """Where it notes when its process began, and when it was done."""
        return Path("results", self.name)


def note(job: Nothing, report: Report) -> None:
    """Note which process this is, when that began, and what time it is."""
    about = os.getpid(), psutil.Process().create_time(), time.time()
    write_text(job.target, json.dumps(about))
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
    starts: dict[tuple[int, float], float] = {}
    for process, begun, now in times:
        first = starts.get((process, begun), now - begun)
        starts[process, begun] = min(first, now - begun)
    own = sum(starts.values())
    each = (wall - own / SLOTS) / MEMBERS
    print(f"{MEMBERS} members on {SLOTS} slots: {wall:.1f} s")
    print(f"{len(starts)} processes, {own / len(starts):.2f} s a start")
    print(f"beside it {each:.3f} s a member, of a slot {each * SLOTS:.2f} s; at most {MOST} asked")
    if each > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    from benchmarks import cluster_members  # members are found again by the name of their module

    cluster_members.main()
