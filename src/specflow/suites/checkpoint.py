"""What every kind of checkpoint file offers: names and shapes at once, one tensor at a time."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted, numbers in them by value: layer 2 before layer 10."""
    return sorted(names, key=_natural)


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _natural(name: str) -> tuple[list[str], list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", name)
    numbers = [number.lstrip("0") for number in parts[1::2]]  # of any length, unlike text to int
    return parts[::2], [(len(number), number) for number in numbers], name
