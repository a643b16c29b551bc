"""Runs what has changed of the graph, stages side by side: `specflow repro`.

Each stage runs as it does in a serial `dvc repro`, and by DVC, so that results and dvc.lock are the
same.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from specflow import paths
from specflow.config.settings import ALL
from specflow.errors import SpecflowError
from specflow.executor import num_workers
from specflow.executor.slurm.settings import cluster_here
from specflow.graph import GRAPH, Graph, start
from specflow.schedule import WAITING, History, path_lengths, share_of_cores

if TYPE_CHECKING:
    import psutil

FOLDER = Path(".specflow")
HISTORY = FOLDER / "repro.json"
SHOWN_LINES = 30  # of the log of a stage that failed
PATIENCE = 10  # times 2 seconds for DVC to end after its stage was ended; then it is killed


def repro(targets: Sequence[str] = (), jobs: int | None = None) -> None:
    """Run every stage that has changed, and what depends on it.

    Args:
        targets: Stages or groups of stages; none means all.
        jobs: How many stages run side by side at most; None means as many as there are cores, one
            where stages compute on a GPU, whose memory they would have to share, or 16 where they
            wait for members on a cluster.

    Raises:
        SpecflowError: If the graph cannot be read, stages failed, or another one is at work here.
    """
    on_cluster = cluster_here() is not None
    with _alone():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it does what Ctrl-C does
        run = _Run(Graph(targets), History.read(HISTORY))
        run.settle()
        if run.ready:
            run.run("cluster" if on_cluster else _device_here(), jobs)
            done = f"{run.num_run} ran, {run.num_restored} restored from the cache"
        else:
            done = "nothing has changed"
        print(f"{len(run.graph.names)} stages: {done}")


def _alone() -> AbstractContextManager:
    """Keep other processes from running the same graph, until the end of this context.

    Raises:
        SpecflowError: If another one does, or there is no graph.
    """
    if not GRAPH.exists():
        raise SpecflowError("there is no dvc.yaml in the working folder")
    FOLDER.mkdir(exist_ok=True)
    try:
        return FileLock(FOLDER / "repro.lock", timeout=0).acquire()
    except Timeout as error:
        raise SpecflowError("another `specflow repro` is at work in this folder") from error


def _device_here() -> str:
    """Return what stages compute on: cpu or cuda."""
    device = os.environ.get("SPECFLOW_DEVICE")
    if device is None:  # asked in another process: this one stays small, and off the GPU
        program = "from specflow.device import choose_device; print(choose_device())"
        asked = [sys.executable, "-c", program]
        device = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return "cuda" if device.startswith("cuda") else "cpu"


def _settings_of(stage: str) -> dict[str, Any]:
    """Return the settings with which a stage has just run, without hashes of its code."""
    kind, _, name = stage.partition("@")
    found = json.loads(paths.CONFIG.read_bytes()).get(kind, {}).get(name or ALL, {})
    return {key: value for key, value in found.items() if key != "code"}


@dataclass
class _Child:
    """A stage that is running."""

    process: "psutil.Popen"
    log: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class _Run:
    """The stages of a graph: those still to settle, ready, running, and failed."""

    def __init__(self, graph: Graph, history: History) -> None:
        self.graph, self.history = graph, history
        self.open = list(graph.names)  # neither done nor started, each after its upstream
        self.ready: list[str] = []  # of these: changed, with nothing left to wait for
        self.running: dict[str, _Child] = {}
        self.failed: dict[str, Path] = {}
        self.num_run = self.num_restored = 0
        self._done: set[str] = set()
        self._weights = {name: history.weight(name) for name in graph.names}
        self._lengths = path_lengths(graph.names, graph.upstream, self._weights)
        self._jobs, self._device = 1, ""
        self._bar: Any = None

    def settle(self) -> None:
        """Find out what is ready, and count as done what has not changed."""
        for name in list(self.open):
            if name in self.ready or not self._done.issuperset(self.graph.upstream[name]):
                continue
            if self.graph.changed(name):
                self.ready.append(name)
            else:
                self.open.remove(name)
                self._done.add(name)

    def run(self, device: str, jobs: int | None) -> None:
        """Run what is ready, and what gets ready by it, longest path first.

        Args:
            device: What stages compute on: cpu, cuda, or the nodes of a cluster.
            jobs: As for `repro`.

        Raises:
            SpecflowError: If stages failed: what was running was still brought to its end.
        """
        self._device = device
        self._jobs = jobs or {"cuda": 1, "cluster": WAITING}.get(device, num_workers())
        locked = set(self.graph.locked()) - set(self.history.new)
        self.history.new = [name for name in self.graph.names if name not in locked]
        self.history.write(HISTORY)
        try:
            with tqdm(total=len(self.graph.names), unit="stage", disable=None) as self._bar:
                while self.running or (self.ready and not self.failed):
                    self._start_ready()
                    time.sleep(0.1)
                    self._collect()
        finally:
            self._stop()
            self.graph.order_lock(self.history.new)
            self.history.write(HISTORY)
        if self.failed:
            raise SpecflowError(_told(self.failed))
        self.history.new = []
        self.history.write(HISTORY)

    def _start_ready(self) -> None:
        while self.ready and not self.failed and len(self.running) < self._jobs:
            name = max(self.ready, key=self._lengths.__getitem__)
            self.running[name] = self._start(name)
            self.ready.remove(name)
            self.open.remove(name)

    def _start(self, name: str) -> _Child:
        weights, cores = self._weights, num_workers()
        beside_it = set(self.open) - {name} - self.graph.dependents[name]
        left = (max(weights[other] - one.seconds, 0) for other, one in self.running.items())
        beside = sum(weights[other] for other in beside_it) + sum(left)
        workers = share_of_cores(weights[name], beside, cores, min(self._jobs, cores))
        log = FOLDER / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        return _Child(start(name, workers, log), log)

    def _collect(self) -> None:
        """Take note of the stages that have ended."""
        for name, child in list(self.running.items()):
            before = _seconds_of_children()
            if child.process.poll() is not None:
                del self.running[name]
                self._end(name, child, _seconds_of_children() - before)
        self._bar.n = len(self._done)
        self._bar.set_postfix_str(", ".join(self.running))

    def _end(self, name: str, child: _Child, core_seconds: float) -> None:
        if child.process.returncode:
            self.failed[name] = child.log
            self._say(f"{name} failed")
            return
        if "Running stage " in child.log.read_text(errors="replace"):
            self.num_run += 1
            if self._device != "cluster":  # where they only wait
                self._remember(name, child.seconds if self._device == "cuda" else core_seconds)
            self._say(f"ran {name} ({child.seconds:.0f} s)")
        else:
            self.num_restored += 1
            self._say(f"restored {name}")
        self._done.add(name)
        self.settle()

    def _remember(self, name: str, seconds: float) -> None:
        self.history.seconds[name] = round(seconds, 1)
        self.history.settings[name] = _settings_of(name)
        self.history.devices[name] = self._device

    def _say(self, line: str) -> None:
        self._bar.write(line)
        sys.stdout.flush()  # also where it is no terminal

    def _stop(self) -> None:
        """End what still runs: each stage, and then DVC, once it has noted that."""
        import psutil  # comes with DVC

        running = [child.process for child in self.running.values()]
        try:
            for _ in range(PATIENCE):
                for process in running:
                    with suppress(psutil.NoSuchProcess):
                        for stage in process.children():
                            stage.terminate()
                _, running = psutil.wait_procs(running, timeout=2)
        finally:  # also after another Ctrl-C
            for process in running:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _seconds_of_children() -> float:
    """Return the core seconds of all children that have ended, and of theirs."""
    times = os.times()
    return times.children_user + times.children_system


def _told(failed: dict[str, Path]) -> str:
    """Return what a user is told of stages that failed, with the ends of their logs."""
    advice = "the same command goes on once that is mended"
    parts = [f"{len(failed)} of the stages failed: {', '.join(failed)}; {advice}"]
    for log in failed.values():
        lines = log.read_text(errors="replace").rstrip().splitlines()[-SHOWN_LINES:]
        parts.append("\n".join([f"end of {log}:", *(f"  {line}" for line in lines)]))
    return "\n".join(parts)
