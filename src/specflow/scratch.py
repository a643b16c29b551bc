"""Resumable state on disk, outside the outs of DVC, which it deletes before a stage.

One folder for each run or measurement, named by a hash of everything that determines its result. A
file is complete or absent; one that a failing disk has damaged since is left out. When the result
is written, a hard link to it takes the place of the folder: the same work, started again, finds it
there. So a kill before DVC has noted the result loses nothing, and another seed of an experiment is
one run more.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from filelock import FileLock, Timeout
from pydantic import BaseModel

from specflow import paths
from specflow.errors import SpecflowError
from specflow.seal import fault_of, first_fault_of, seal, seal_of
from specflow.textfiles import PART, written

_RESULT, _LOCK = ".result", ".lock"
_SPARED = 86400  # seconds
_OTHER_MEMBERS: Any = {"seeds": True, "trunk_seeds": True, "run": {"seeds"}}


# What makes the CPU libraries round otherwise, of one binary on one machine.
_NUMERIC = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def numeric_environment() -> str:
    """Return the variables that are set of those on which the bits of a result depend."""
    return " ".join(f"{name}={os.environ[name]}" for name in _NUMERIC if name in os.environ)


def state_of(path: Path) -> str:
    """Return place, size and time of a file, which tell when it is made anew; "" without one."""
    if not path.exists():
        return ""
    state = path.stat()
    return f"{path} {state.st_size} {state.st_mtime_ns}"


def drop_unused() -> None:
    """Remove kept results that neither the project nor DVC's cache has had for a day."""
    for kept in paths.scratch_root().glob(f"*{_RESULT}"):
        with suppress(FileNotFoundError):  # another process has removed it
            state = kept.stat()
            if state.st_nlink == 1 and time.time() - state.st_ctime > _SPARED:
                kept.unlink()


@dataclass(frozen=True)
class Work:
    """What determines a result, but for the device: its scratch is found where it is computed.

    Attributes:
        name: What a person calls it.
        parts: Settings, code, inputs.
    """

    name: str
    parts: tuple[str, ...]

    @classmethod
    def of_stage(cls, name: str, settings: BaseModel, code: str, *inputs: str) -> "Work":
        """Return the work of a member of a stage; which other seeds the stage has does not count.

        Args:
            name: What a person calls it.
            settings: Those of the stage.
            code: Hashes of the code that it runs.
            inputs: What tells the files that it reads from others.
        """
        return cls(name, (settings.model_dump_json(exclude=_OTHER_MEMBERS), code, *inputs))

    def scratch(self) -> "Scratch":
        """Return where it is resumed from, on the device of this process."""
        from specflow.device import choose_device  # here: what only reads results has none

        return Scratch.of(paths.scratch_root(), self.name, *self.parts, choose_device().type)


@dataclass(frozen=True)
class Scratch:
    """A folder of finished parts; what is in it is taken up when the same work starts again."""

    folder: Path

    @classmethod
    def of(cls, root: Path, name: str, *parts: str) -> "Scratch":
        """Return the folder, below `root`, of the work that a person calls `name`.

        `parts` are everything that determines the result: settings, code, inputs.
        """
        digest = hashlib.sha256(f"{torch.__version__} {numeric_environment()}".encode())
        for part in parts:
            digest.update(b"\0" + part.encode())
        return cls(root / f"{name.replace('/', '-')}-{digest.hexdigest()[:16]}")

    @property
    def lock(self) -> Path:
        """Where the lock of the folder lies: beside it."""
        return self.folder.with_name(self.folder.name + _LOCK)

    def within(self, name: str) -> "Scratch":
        """Return a folder within this one, with a lock of its own, for some of its parts."""
        return Scratch(self.folder / name)

    def gather(self) -> None:
        """Move what is in all folders within this one, those of ended processes, into this one.

        Folders that a process is in are left alone.
        """
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            within = self.within(folder.name)
            with suppress(Timeout), FileLock(within.lock, timeout=0):
                within._remove_damaged()
                for part in filter(_is_part, folder.iterdir()):
                    part.replace(self.folder / part.name)
                within.remove()
                within.lock.unlink()

    def has(self, name: str) -> bool:
        """Return whether a part is there."""
        return (self.folder / name).exists()

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a part: tensors, numbers and text, nested in mappings and lists.

        Raises:
            SpecflowError: If the disk is full; what was kept before stays.
        """
        with written(self.folder / name) as part, part.open("w+b") as file:
            _save(content, file)
            seal(file)

    def load(self, name: str, *, mapped: bool = False) -> dict[str, Any]:
        """Return a part that was kept; tensors that are `mapped` are on disk until looked at.

        Raises:
            SpecflowError: If the disk has damaged it since.
        """
        path = self.folder / name
        if fault := first_fault_of(path):
            raise SpecflowError(f"{path}: {fault}; the same command does again what it held")
        return torch.load(path, weights_only=True, mmap=mapped)

    def remember(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return a part that an earlier process has computed, or compute and keep it.

        Raises:
            SpecflowError: As for `save`.
        """
        if not self.has(name):
            self.save(name, compute())
        return self.load(name)

    def names(self, pattern: str) -> list[str]:
        """Return the names of the parts that match a glob pattern, in their order."""
        return sorted(path.name for path in self.folder.glob(pattern))

    def forget(self, name: str) -> None:
        """Remove a part that is needed no more."""
        (self.folder / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, target: Path, write: Callable[[], None]) -> None:
        """Call `write` to write a result, unless this very work has written it before.

        Other processes are kept out meanwhile, and the folder is removed at the end.

        Raises:
            SpecflowError: As for `locked`.
        """
        with self.locked():
            if not self.put_back(target):
                write()
                self._keep(target)
            self.remove()

    def put_back(self, target: Path) -> bool:
        """Put the result of this very work to its place, if it is kept; return whether it was."""
        for kept in self._all_kept():
            with suppress(OSError, SpecflowError):  # another process has removed it, or there are
                if kept == self._kept(seal_of(kept)) and fault_of(kept) is None:  # no hard links
                    with written(target) as part:
                        os.link(kept, part)
                    return True
        return False

    def _keep(self, target: Path) -> None:
        """Keep a result beside the folder.

        It takes no room while DVC has the file too. Where there are no hard links none is kept.
        """
        for damaged in self._all_kept():
            damaged.unlink(missing_ok=True)
        with suppress(OSError):
            os.link(target, self._kept(seal_of(target)))

    def _all_kept(self) -> list[Path]:
        return list(self.folder.parent.glob(f"{self.folder.name}-*{_RESULT}"))

    def _kept(self, seal: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}-{seal}{_RESULT}")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be in the folder alone, as `locked`, and leave no lock behind.

        One who waits for the lock finds it gone and makes another.
        """
        with self.locked():
            try:
                yield
            finally:
                self.lock.unlink(missing_ok=True)

    @contextmanager
    def until_done(self) -> Iterator[None]:
        """Be in the folder alone, as `locked`; a block that ends well removes it."""
        with self.locked():
            yield
            self.remove()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder, waiting for one that is in it.

        Parts of earlier processes that are damaged are removed, and it is said which.

        Raises:
            SpecflowError: If the folder cannot be made.
        """
        lock = FileLock(self.lock, fallback_to_soft=False)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                print(f"waiting for another process in {self.folder}", file=sys.stderr)
                lock.acquire(poll_interval=0.5)
            self.folder.mkdir(exist_ok=True)
            self._remove_damaged()
        except OSError as error:
            raise SpecflowError(f"cannot write {self.folder}: {error}") from error
        try:
            yield
        finally:
            lock.release()

    def _remove_damaged(self) -> None:
        for part in sorted(path for path in self.folder.iterdir() if _is_part(path)):
            unfinished = part.suffix == PART
            if unfinished or (fault := fault_of(part)):
                if not unfinished:
                    print(f"{part}: {fault}; what it held is done again", file=sys.stderr)
                part.unlink()


def _is_part(path: Path) -> bool:
    """Return whether it is no other folder of scratch, nor the lock of one."""
    return path.is_file() and path.suffix != _LOCK


def _save(content: Mapping[str, Any], file: IO[bytes]) -> None:
    """Save with torch, whose writer raises RuntimeError when it fails.

    Raises:
        OSError: If it does.
    """
    try:
        torch.save(dict(content), file)
    except RuntimeError as error:
        raise OSError(str(error)) from error
