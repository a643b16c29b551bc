"""Resumable training state on disk, outside the outs of DVC, which it deletes before a stage.

One folder a member, named by a hash of everything that determines its result. A checkpoint file
is complete or absent, and `resume.pt`, written after it, says up to where training has come.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from specflow.errors import SpecflowError
from specflow.trajectory import Checkpoint

_SOURCES = ("interventions", "models", "params", "tasks", "training")


@dataclass(frozen=True)
class Scratch:
    """The scratch folder of one member."""

    folder: Path

    def save(self, checkpoint: Checkpoint, resume: Mapping[str, Any]) -> None:
        """Keep a checkpoint, and what training needs to go on from it.

        Args:
            checkpoint: The checkpoint.
            resume: State beyond weights and buffers.

        Raises:
            SpecflowError: If the disk is full; earlier checkpoints stay.
        """
        _write(self._checkpoint(checkpoint.step), _to_tensors(vars(checkpoint)))
        _write(self.folder / "resume.pt", {"step": checkpoint.step, **resume})

    def resume(self) -> dict[str, Any] | None:
        """Return what `save` was last given, or None if nothing was saved."""
        path = self.folder / "resume.pt"
        return torch.load(path, weights_only=True) if path.exists() else None

    def checkpoint(self, step: int) -> Checkpoint:
        """Return a kept checkpoint."""
        return Checkpoint(**_to_arrays(torch.load(self._checkpoint(step), weights_only=True)))

    def forget(self, step: int) -> None:
        """Remove a checkpoint that neither the trajectory nor a resumed run needs."""
        self._checkpoint(step).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder: the trajectory is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder, waiting for one that is in it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for another process that trains {self.folder.name}", file=sys.stderr)
            lock.acquire()
        try:
            self.folder.mkdir(exist_ok=True)
            yield
        finally:
            lock.release()

    def _checkpoint(self, step: int) -> Path:
        return self.folder / f"step{step:012d}.pt"


def scratch_key(*parts: str) -> str:
    """Return a hash of everything that determines a member's result: `parts`, code and torch."""
    digest = hashlib.sha256(torch.__version__.encode())
    package = Path(__file__).parents[1]
    for source in sorted(path for name in _SOURCES for path in (package / name).rglob("*.py")):
        digest.update(source.read_bytes())
    for part in parts:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()[:16]


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    try:
        torch.save(dict(content), part)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch: RuntimeError when its writer fails
        raise SpecflowError(f"cannot write {path}: {error}; earlier checkpoints stay") from error
    finally:
        part.unlink(missing_ok=True)


def _to_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Mapping):
        return {key: _to_tensors(entry) for key, entry in value.items()}
    return value


def _to_arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, Mapping):
        return {key: _to_arrays(entry) for key, entry in value.items()}
    return value
