"""A real SLURM of this machine: three nodes on loopback, from Debian's packages."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
MISSING = [name for name in PROGRAMS if not shutil.which(name, path="/usr/sbin:/usr/bin")]
needs_slurm = pytest.mark.skipif(
    bool(MISSING), reason=f"SLURM is not here: no {', '.join(MISSING)}; Debian has them in packages"
)
NODES, CPUS = ("n1", "n2", "n3"), 2

# slurmd wants cgroups, which need not be mounted here: version 1 is never looked at.
CGROUPS = "CgroupPlugin=cgroup/v1\n"
CONFIG = """
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/controller.pid
SlurmctldLogFile={folder}/controller.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=5
KillWait=2
MinJobAge=300
JobRequeue=1
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE OverTimeLimit=0 State=UP
"""


@dataclass
class ToyCluster:
    """A cluster in a folder; all that it starts listens on loopback alone."""

    folder: Path
    port: int = field(default_factory=lambda: 20000 + os.getpid() % 2000 * 10)

    @property
    def own(self) -> dict[str, str]:
        """The variables by which commands find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.own | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def run(self, *words: str) -> str:
        found = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return found.stdout

    def start(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        host, user = socket.gethostname().split(".")[0], psutil.Process().username()
        about = {"host": host, "port": self.port, "folder": self.folder, "user": user}
        nodes = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.port + place} "
            f"CPUs={CPUS} RealMemory=4000\n"
            for place, node in enumerate(NODES, 1)
        )
        (self.folder / "slurm.conf").write_text(f"{CONFIG.format(**about)}{nodes}")
        (self.folder / "cgroup.conf").write_text(CGROUPS)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        places = (f"--{name}={self.folder}/munge.{name}" for name in ("socket", "seed-file"))
        logs = f"--log-file={self.folder}/munge.log", f"--pid-file={self.folder}/munge.pid"
        self.run("munged", "--force", f"--key-file={key}", *places, *logs)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.await_idle()

    def start_controller(self) -> None:
        self.run("slurmctld")

    def start_node(self, node: str) -> None:
        self.run("slurmd", "-N", node)

    def await_idle(self) -> None:
        await_that(lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "3", 60)

    def kill_controller(self) -> None:
        self._kill("controller.pid")

    def node_of(self, pid: int) -> str:
        return psutil.Process(pid).environ()["SLURMD_NODENAME"]

    def cut_power(self, node: str) -> None:
        """Kill the node's daemon, and all that it has started, together."""
        daemon = psutil.Process(int((self.folder / f"{node}.pid").read_text()))
        steps = [p for p in psutil.process_iter() if _is_step_on(p, node, self.folder)]
        everything = {daemon, *steps, *(c for p in steps for c in p.children(recursive=True))}
        for what in (signal.SIGSTOP, signal.SIGKILL):
            for process in everything:
                process.send_signal(what)

    def jobs(self, project: Path) -> list[str]:
        """Ids of the tasks of a project that are not over."""
        live = "PENDING,RUNNING,COMPLETING,CONFIGURING,SUSPENDED"
        lines = self.run("squeue", "-h", "-r", "-t", live, "-o", "%i %Z").splitlines()
        return [line.split(" ")[0] for line in lines if str(project.resolve()) in line]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        self.stop()

    def stop(self) -> None:
        subprocess.run(["scancel", "--user", psutil.Process().username()], env=self.environment)
        for pid in ("controller.pid", "munge.pid", *(f"{node}.pid" for node in NODES)):
            self._kill(pid)
        for process in psutil.process_iter():
            if any(_is_step_on(process, node, self.folder) for node in NODES):
                process.kill()

    def _kill(self, pid: str) -> None:
        if (self.folder / pid).exists():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(int((self.folder / pid).read_text()))
                process.kill()
                await_that(lambda: process.status() == psutil.STATUS_ZOMBIE)


def _is_step_on(process: psutil.Process, node: str, folder: Path) -> bool:
    """Whether it is what a node's daemon starts for a task."""
    try:
        own = process.environ()
        return own.get("SLURM_CONF") == f"{folder}/slurm.conf" and (
            own.get("SLURMD_NODENAME") == node
            or (process.name() == "slurmstepd" and _is_of(process, node))
        )
    except (psutil.Error, ProcessLookupError):
        return False


def _is_of(step: psutil.Process, node: str) -> bool:
    return any(child.environ().get("SLURMD_NODENAME") == node for child in step.children())


def await_that(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
