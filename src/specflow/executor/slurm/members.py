"""What a member leaves on the shared folder: its job, the array it is in, progress, and its end.

One folder for each place of a result. A file is whole or not there.
"""

import hashlib
import os
import pickle
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specflow import paths
from specflow.errors import SpecflowError
from specflow.executor.jobs import MemberJob
from specflow.textfiles import written

_CPU = re.compile(r"model name\s*:\s*(.*)")


@dataclass(frozen=True)
class End:
    """How a member ended.

    Attributes:
        array: The array that it was in.
        error: What it raised; None if all went well.
        node: The node's name.
        cpu: The kind of its CPU.
    """

    array: str
    error: Exception | None
    node: str
    cpu: str


@dataclass(frozen=True)
class Sent:
    """The array that a member is in.

    Attributes:
        work: A hash of all that determines the result.
        array: Its name.
        place: The member's place in it.
        tries: How often it was submitted since it last got on.
        units: Units of work that were done when it was submitted.
    """

    work: str
    array: str
    place: int
    tries: int
    units: int


@dataclass(frozen=True)
class Folder:
    """The folder of a member."""

    path: Path

    @classmethod
    def of(cls, function: Callable[..., None], job: MemberJob) -> "Folder":
        """Return the folder of a job, the same in every process that asks for a result there."""
        place = _hash(function.__module__, function.__qualname__, str(Path.cwd() / job.target))
        return cls(paths.cluster_root() / f"{job.work.name.replace('/', '-')}-{place}")

    def put(self, function: Callable[..., None], job: MemberJob) -> None:
        """Write down what is to be done, and in which folder; what an earlier one left goes.

        Raises:
            SpecflowError: If it cannot be written.
        """
        for old in (self._units, self._end):
            old.unlink(missing_ok=True)
        _write(self.path / "job", (Path.cwd(), function, job))

    def job(self) -> tuple[Path, Callable[..., None], Any]:
        """Return the working folder, the function and the job."""
        return pickle.loads((self.path / "job").read_bytes())

    @property
    def sent(self) -> Sent | None:
        """The array that it is in; None if it is in none."""
        return _read(self.path / "sent", Sent)

    def send(self, sent: Sent | None) -> None:
        """Note the array that it is in, before that is submitted; None if it is in none any more.

        Raises:
            SpecflowError: If it cannot be written.
        """
        _write(self.path / "sent", sent)

    @property
    def units(self) -> int:
        """Units of work done so far."""
        try:
            return int(self._units.read_text() or 0)
        except (OSError, ValueError):
            return 0

    def report(self, units: int) -> None:
        """Note how many units of work are done so far, if the disk lets us."""
        with suppress(OSError):
            self._units.write_text(str(units))

    def end_in(self, array: str) -> End | None:
        """Return how it ended in an array; None if it has not, or what ended was in another one."""
        with suppress(OSError):
            os.listdir(self.path)  # on NFS, so that what another node wrote is seen
        end = _read(self._end, End)
        return end if end is not None and end.array == array else None

    def is_due(self, array: str) -> bool:
        """Return whether it is to be computed in an array: not ended there, nor sent elsewhere."""
        if self.end_in(array) is not None:
            return False
        sent = self.sent
        return sent is not None and sent.array == array

    def finish(self, array: str, error: Exception | None) -> None:
        """Note how it ended, with its error as it is, or where it cannot be sent, its text.

        Raises:
            SpecflowError: If it cannot be written.
        """
        node = os.environ.get("SLURMD_NODENAME", platform.node())
        try:
            pickle.loads(pickle.dumps(error))
        except Exception as reason:  # whatever an error's own class raises
            error = RuntimeError(f"{type(error).__name__}: {error} (not sent as it is: {reason})")
        _write(self._end, End(array, error, node, cpu_kind()))

    @property
    def _units(self) -> Path:
        return self.path / "units"

    @property
    def _end(self) -> Path:
        return self.path / "end"


def work_of(job: MemberJob) -> str:
    """Return a hash of all that determines the result of a job, the same in every process.

    Raises:
        SpecflowError: If what it starts from is missing or broken.
    """
    from specflow.scratch import numeric_environment  # here: it imports torch, as the job has

    device = os.environ.get("SPECFLOW_DEVICE", "")
    torch = version("torch")
    return _hash(job.work.name, *job.work.parts, torch, numeric_environment(), device)


def cpu_kind() -> str:
    """Return the kind of this machine's CPU, on which the bits of results may depend."""
    try:
        found = _CPU.search(Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _write(path: Path, content: Any) -> None:
    try:
        text = pickle.dumps(content)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SpecflowError(f"{path}: cannot be sent to another machine: {error}") from error
    with written(path) as part:
        part.write_bytes(text)


def _read(path: Path, kind: type) -> Any:
    """Return what a file has of a kind, as this version writes it; None if there is nothing such.

    So it is if it cannot be read at the moment, too.
    """
    try:
        found = pickle.loads(path.read_bytes())
    except OSError:
        return None
    names = {field.name for field in fields(kind)}
    return found if found is not None and vars(found).keys() == names else None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
