"""What is finished of a suite's analysis, on disk, so that a killed one goes on where it was.

One folder a suite, outside the outs of DVC and named by a hash of everything that determines the
result. A file is complete or absent.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from specflow.errors import SpecflowError
from specflow.suites.files import files_of
from specflow.suites.suite import Suite

_SOURCES = ("spectra/*.py", "suites/*.py", "hdf5.py", "params/suites.py")

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Partial:
    """The folder of partial results of one suite."""

    folder: Path

    @property
    def lock(self) -> Path:
        """Where the lock of the folder lies: beside it."""
        return self.folder.with_suffix(".lock")

    def path(self, kind: str, index: int) -> Path:
        """Return where one kind of result of the step number `index` lies."""
        return self.folder / f"{kind}{index:06d}"

    def has(self, kind: str, index: int) -> bool:
        """Return whether a result is there."""
        return self.path(kind, index).exists()

    def save(self, kind: str, index: int, arrays: Arrays) -> None:
        """Keep a result.

        Args:
            kind: Which kind of result.
            index: Number of the step.
            arrays: The result.

        Raises:
            SpecflowError: If the disk is full; what was kept before stays.
        """
        path = self.path(kind, index)
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                # keys of np.load must not end like its members, in .npy
                members = {f"{key}/": array for key, array in arrays.items()}
                np.savez(file, **members)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise SpecflowError(f"cannot write {path}: {error}; earlier steps stay") from error
        finally:
            part.unlink(missing_ok=True)

    def load(self, kind: str, index: int) -> dict[str, np.ndarray]:
        """Return a result that was kept."""
        with np.load(self.path(kind, index), allow_pickle=False) as arrays:
            return {key.removesuffix("/"): array for key, array in arrays.items()}

    def forget(self, kind: str, index: int) -> None:
        """Remove a result that is needed no more."""
        self.path(kind, index).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder: the whole result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder, waiting for one that is in it.

        Raises:
            SpecflowError: If the folder cannot be made.
        """
        lock = FileLock(self.lock)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                print(f"waiting for another process in {self.folder}", file=sys.stderr)
                lock.acquire()
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpecflowError(f"cannot write {self.folder}: {error}") from error
        try:
            yield
        finally:
            lock.release()


def partial_of(suite: Suite, root: Path) -> Partial:
    """Return the folder of partial results of a suite.

    Args:
        suite: The suite.
        root: Folder of all such folders.

    Returns:
        A folder named by a hash of params, steps, what their files hold, the files' sizes and
        times, this code and torch.
    """
    digest = hashlib.sha256(torch.__version__.encode())
    package = Path(__file__).parents[1]
    for source in sorted(path for name in _SOURCES for path in package.glob(name)):
        digest.update(source.read_bytes())
    digest.update(suite.params.model_dump_json().encode())
    for step, tensors in zip(suite.steps, suite.tensors, strict=True):
        for path in files_of(step.path):
            state = path.stat()
            digest.update(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}\n".encode())
        digest.update(f"{step.step} {step.index} {sorted(tensors.items())}\n".encode())
    return Partial(root / f"suite-{digest.hexdigest()[:16]}")
