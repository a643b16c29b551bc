"""The kept steps of a trajectory from anywhere as checkpoints: it may be damaged, or hostile."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from specflow.checkpoints.base import Infos, Step
from specflow.checkpoints.trajectory import TRAJECTORY, Origin
from specflow.errors import SpecflowError, one_line
from specflow.hdf5 import open_file
from specflow.scratch import state_of
from specflow.wiring.names import check_names, in_natural_order
from specflow.wiring.tensors import TensorInfo

_NAMES = TypeAdapter(tuple[str, ...])


@dataclass
class _KeptStep:
    """The weights of one kept step; one parameter is read at a time."""

    path: Path
    file: h5py.File
    index: int
    infos: Infos
    skipped: Mapping[str, str]

    def read(self, name: str) -> Tensor:
        with _reading(self.path):
            return torch.from_numpy(np.asarray(self.file[f"weights/{name}"][self.index]))


class TrajectoryCheckpoints:
    """The kept steps of a trajectory (`Checkpoints`).

    Attributes:
        steps: The kept steps.
        transposed: Parameters whose inputs come first.
    """

    def __init__(self, path: Path) -> None:
        """Read what the file says that it holds.

        Raises:
            SpecflowError: If it is no whole trajectory as specflow writes it, or has a parameter
                whose name is no HDF5 path.
        """
        self._path = path
        with _reading(path), open_file(path, TRAJECTORY) as file:
            numbers = file.get("step")
            if not _is_array(numbers) or numbers.ndim != 1 or numbers.dtype.kind != "i":
                raise SpecflowError(f"{path}: has no steps; expected a trajectory of specflow")
            count = len(numbers)
            if _info(path, file, "epoch", count).shape:
                raise SpecflowError(f"{path}: epoch is no number a step")
            both = zip(numbers[:].tolist(), file["epoch"][:].tolist(), strict=True)
            self.steps = tuple(Step(number, epoch, str(path)) for number, epoch in both)
            self.transposed = _NAMES.validate_json(Origin.of(file).transposed)
            names = _names(file, "weights")
            self._infos = {name: _info(path, file, f"weights/{name}", count) for name in names}
            self._skipped = dict.fromkeys(_names(file, "buffers"), "a buffer")
        check_names(path, self._infos)

    @contextmanager
    def open(self, index: int) -> Iterator[_KeptStep]:
        """Yield the kept step number `index` (from 0), open; SpecflowError if it is broken."""
        with ExitStack() as stack:
            with _reading(self._path):
                file = stack.enter_context(open_file(self._path, TRAJECTORY))
            yield _KeptStep(self._path, file, index, self._infos, self._skipped)

    def fingerprint(self) -> str:
        """Return place, size and time of the file."""
        return state_of(self._path.resolve())


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with reading it.

    Raises:
        SpecflowError: If the block found it broken.
    """
    try:
        yield
    except SpecflowError as error:
        raise SpecflowError(one_line(error)) from error
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # h5py's, of damaged files
        raise SpecflowError(f"{path}: damaged ({one_line(error)})") from error


def _names(file: h5py.File, group: str) -> list[str]:
    found = file.get(group)
    return in_natural_order(found) if isinstance(found, h5py.Group) else []


def _info(path: Path, file: h5py.File, name: str, count: int) -> TensorInfo:
    data = file.get(name)
    if not _is_array(data) or data.shape[:1] != (count,):
        raise SpecflowError(f"{path}: {name} is no array of {count} steps")
    try:
        dtype = torch.from_numpy(data[:0]).dtype
    except (TypeError, ValueError) as error:
        raise SpecflowError(f"{path}: {name} has dtype {data.dtype}; expected numbers") from error
    return TensorInfo(tuple(data.shape[1:]), dtype)


def _is_array(data: Any) -> bool:
    return isinstance(data, h5py.Dataset)
