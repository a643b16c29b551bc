"""Checkpoint files of any kind behind one face: names and shapes at once, one tensor at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class TensorInfo:
    """Shape and dtype of a tensor in a file."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class CheckpointFile(ABC):
    """The weights of one step, on disk.

    Attributes:
        tensors: Shape and dtype of every tensor by name, in order of the model where the file
            keeps one, else of the names with numbers by value.
        skipped: Entries of the file that cannot be read as dense tensors, with the reason.
    """

    tensors: Mapping[str, TensorInfo]
    skipped: Mapping[str, str]

    @abstractmethod
    def read(self, name: str) -> Tensor:
        """Return one tensor on the CPU in its own dtype; memory is that of the tensor.

        Args:
            name: One of `tensors`.

        Returns:
            The tensor, which does not depend on the file any more.

        Raises:
            SuiteError: If the file is damaged there.
        """


@contextmanager
def open_checkpoint(
    path: Path, key: str | None = None, index: int | None = None
) -> Iterator[CheckpointFile]:
    """Open a checkpoint for reading; nothing in it is executed.

    Kinds are told by content and name: safetensors, an index of shards (*.index.json), PyTorch
    (zip or pickle), and one kept step of a trajectory of specflow.

    Args:
        path: The file.
        key: Where the weights are in a PyTorch file, with dots; None finds them under usual keys.
        index: Which kept step of a trajectory; None of any other file.

    Yields:
        The checkpoint.

    Raises:
        SuiteError: If the file is missing, damaged, of no known kind, would have to execute code,
            or has a tensor whose name is no HDF5 path.
    """
    raise NotImplementedError
    yield
