"""Kept steps of specflow's own trajectories as checkpoints."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.layouts import TRAJECTORY
from specflow.suites.checkpoint import CheckpointFile, TensorInfo, in_natural_order, one_line
from specflow.suites.errors import SuiteError


class TrajectoryStep(CheckpointFile):
    """The weights of one kept step; one parameter is read at a time."""

    def __init__(self, path: Path, file: h5py.File, index: int | None) -> None:
        """Read the names and shapes.

        Args:
            path: The file.
            file: The same, open.
            index: Number of the kept step.

        Raises:
            SuiteError: If there is no such step, or the file is not as specflow writes it.
        """
        count = len(_steps(path, file))
        if index is None or not 0 <= index < count:
            raise SuiteError(f"{path}: kept step number {index}; expected 0 to {count - 1}")
        self._path, self._file, self._index = path, file, index
        self.tensors = {
            name: _info(path, file, f"weights/{name}", count) for name in _entries(file, "weights")
        }
        self.skipped = {name: "a buffer" for name in _entries(file, "buffers")}

    def read(self, name: str) -> Tensor:
        """Return one parameter at this step.

        Raises:
            SuiteError: If the file is damaged there.
        """
        with _reading(self._path):
            return torch.from_numpy(np.asarray(self._file[f"weights/{name}"][self._index]))


@contextmanager
def open_step(path: Path, index: int | None) -> Iterator[TrajectoryStep]:
    """Open one kept step of a trajectory.

    Args:
        path: The trajectory.
        index: Number of the kept step.

    Yields:
        The step.

    Raises:
        SuiteError: If it is no whole trajectory or has no such step.
    """
    with ExitStack() as stack:
        with _reading(path):
            file = stack.enter_context(open_file(path, TRAJECTORY))
            step = TrajectoryStep(path, file, index)
        yield step


def kept_steps(path: Path) -> list[int]:
    """Return the steps that a trajectory keeps, ascending.

    Raises:
        SuiteError: If it is no whole trajectory.
    """
    with _reading(path), open_file(path, TRAJECTORY) as file:
        return _steps(path, file)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with reading it.

    Raises:
        SuiteError: If the block found it broken.
    """
    try:
        yield
    except SpecflowError as error:
        raise SuiteError(one_line(error)) from error
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # h5py's, of damaged files
        raise SuiteError(f"{path}: damaged ({one_line(error)})") from error


def _steps(path: Path, file: h5py.File) -> list[int]:
    steps = _own(file, "step")
    if not isinstance(steps, h5py.Dataset) or steps.ndim != 1 or steps.dtype.kind != "i":
        raise SuiteError(f"{path}: has no steps; expected a trajectory of specflow")
    return steps[:].tolist()


def _entries(file: h5py.File, name: str) -> list[str]:
    group = _own(file, name)
    return in_natural_order(group) if isinstance(group, h5py.Group) else []


def _info(path: Path, file: h5py.File, name: str, count: int) -> TensorInfo:
    data = _own(file, name)
    if not _is_whole(data) or data.shape[:1] != (count,):
        raise SuiteError(f"{path}: {name} is no whole array of {count} steps in this file")
    try:
        dtype = torch.from_numpy(data[:0]).dtype
    except (TypeError, ValueError) as error:
        raise SuiteError(f"{path}: {name} has dtype {data.dtype}; expected numbers") from error
    return TensorInfo(tuple(data.shape[1:]), dtype)


def _is_whole(data: Any) -> bool:
    return isinstance(data, h5py.Dataset) and data.id.get_storage_size() >= data.nbytes


def _own(file: h5py.File, name: str) -> Any:
    """Return what lies in this file itself: specflow writes no links and no data outside it."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return None
    found = file[name]
    outside = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    return None if outside else found
