"""Checkpoints in files of any kind: one step a file or folder, or all of a trajectory."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

from specflow.checkpoints.base import Step, Tensors
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.opening import files_of, open_checkpoint
from specflow.checkpoints.sources import FilesParams, StepFile, find_steps
from specflow.scratch import state_of
from specflow.wiring.names import check_names


class FileCheckpoints:
    """The steps of one network's training in files (`Checkpoints`)."""

    def __init__(self, files: Sequence[StepFile], key: str | None = None) -> None:
        """Look at no file but trajectories.

        Args:
            files: Where each step lies, ascending.
            key: Where the weights are in PyTorch files, with dots; None finds them.
        """
        self._files, self._key = tuple(files), key

    @classmethod
    def find(cls, params: FilesParams, root: Path) -> Self:
        """Return the checkpoints that params name.

        Args:
            params: Files, and where their steps and weights are.
            root: The folder that paths and patterns are relative to.

        Raises:
            SpecflowError: If a pattern matches nothing, a step cannot be told, or two files have
                one.
        """
        return cls(find_steps(params, root), params.key)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps, ascending; epochs are known of trajectories alone."""
        return tuple(
            Step(file.step, None, str(file.path))
            if file.index is None
            else self.trajectories[file.path].steps[file.index]
            for file in self._files
        )

    @cached_property
    def trajectories(self) -> dict[Path, TrajectoryCheckpoints]:
        """The trajectories among the files: they know the network that they are of."""
        paths = dict.fromkeys(file.path for file in self._files if file.index is not None)
        return {path: TrajectoryCheckpoints(path) for path in paths}

    @contextmanager
    def open(self, index: int) -> Iterator[Tensors]:
        """Open the step number `index` (from 0) for reading; nothing in it is executed.

        Args:
            index: Number of the step.

        Yields:
            Its tensors.

        Raises:
            SpecflowError: If a file is missing, damaged, would have to execute code, or has a
                tensor whose name is no HDF5 path.
        """
        file = self._files[index]
        if file.index is None:
            with open_checkpoint(file.path, self._key) as tensors:
                yield tensors
        else:
            with self.trajectories[file.path].open(file.index) as tensors:
                check_names(file.path, tensors.infos)
                yield tensors

    def fingerprint(self) -> str:
        """Return a SHA-256 of steps, places, sizes and times of all files."""
        digest = hashlib.sha256(f"{self._key}\n".encode())
        for file in self._files:
            digest.update(f"{file.step} {file.index}\n".encode())
            for path in files_of(file.path):
                digest.update(f"{state_of(path.resolve())}\n".encode())
        return digest.hexdigest()
