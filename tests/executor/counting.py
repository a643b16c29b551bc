"""Members that count, slowly until they are let go, and resume; and the process that runs them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import specflow
from specflow.errors import BrokenFileError
from specflow.executor import run_members
from specflow.scratch import Work
from specflow.stage import exit_on_error
from specflow.textfiles import write_text

ROOT, SOURCE = Path(__file__).parents[2], Path(specflow.__file__).parents[1]
CLUSTER = """
core: {cpus: 1, minutes: 1}
machine: {cpus: 2, minutes: 1}
poll_seconds: 0.5
"""


@dataclass(frozen=True)
class Counting:
    """A job of some units, each of which takes some seconds and leaves a line in a log.

    Those are seconds until somebody lets it go.
    """

    name: str
    units: int
    seconds: float
    fault: str

    @property
    def work(self) -> Work:
        return Work(self.name, (str(self.units),))

    @property
    def target(self) -> Path:
        return Path("results", self.name)


def count(job: Counting, report) -> None:
    if job.fault == "broken":
        raise BrokenFileError(Path("results/x.h5"), "is broken", "")
    if job.fault == "bug":
        raise LookupError("our own bug")
    write_text(Path("pids", job.name), str(os.getpid()))
    scratch = job.work.scratch()
    scratch.make(job.target, partial(count_all, job, scratch, report))


def count_all(job: Counting, scratch, report) -> None:
    def compute(unit: int) -> dict:
        deadline = time.monotonic() + job.seconds
        while time.monotonic() < deadline and not Path("let go").exists():
            time.sleep(0.02)
        with Path("counted", job.name).open("a") as log:
            log.write(f"{unit}\n")
        return {"unit": unit}

    for unit in range(job.units):
        scratch.remember(f"unit{unit}", partial(compute, unit))
        report(1)
    write_text(job.target, f"{job.name} {job.units}")


def main(units: int, seconds: float, faults: dict[str, str]) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    jobs = {name: Counting(name, units, seconds, fault) for name, fault in faults.items()}
    with exit_on_error():
        run_members(count, jobs, title="count", total=units * len(jobs))


@dataclass
class Project:
    """A folder in which members are run by processes of their own."""

    folder: Path
    environment: dict[str, str]
    cluster: str = CLUSTER  # empty: members run here

    def __post_init__(self) -> None:
        for name in ("pids", "counted", "results"):
            (self.folder / name).mkdir(parents=True)
        if self.cluster:
            (self.folder / "cluster.yaml").write_text(self.cluster)
            self.environment = self.environment | {"SPECFLOW_CLUSTER": "cluster.yaml"}

    def begin(self, units: int, seconds: float, **faults: str) -> subprocess.Popen:
        own = {"PYTHONPATH": f"{SOURCE}:{ROOT}"}
        program = (
            f"from tests.executor import counting; counting.main({units}, {seconds}, {faults})"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=self.folder,
            env=self.environment | own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def let_go(self) -> None:
        """Let all members count as fast as they can."""
        (self.folder / "let go").touch()

    def counted(self, name: str) -> list[int]:
        log = self.folder / "counted" / name
        return [int(line) for line in log.read_text().split()] if log.exists() else []

    def pid(self, name: str) -> int:
        return int((self.folder / "pids" / name).read_text())

    def job(self, name: str, jobs: list[str]) -> str:
        """The id, of these, of the task that has taken a member."""
        folders = (self.folder / ".specflow" / "slurm").glob("specflow-*/members/*-*")
        taken = {Path(folder.read_text()).name.split("-")[0]: folder.name for folder in folders}
        return next(job for job in jobs if job.split("_")[1] == taken[name].split("-")[1])

    def result(self, name: str) -> bytes:
        return (self.folder / "results" / name).read_bytes()

    def is_done(self, name: str) -> bool:
        return (self.folder / "results" / name).exists()
