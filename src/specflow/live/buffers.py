"""Copies of weights in memory that two processes share."""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import IO

import psutil
import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Step

_ALIGNED = 64  # bytes: products of other addresses round otherwise


class Buffers:
    """Places for the tensors of a few steps.

    Attributes:
        infos: Shape and dtype of each tensor.
        file: What lies behind them: another process that has its number sees the same.
        count: How many steps they are for.
    """

    def __init__(self, infos: Infos, count: int, file: IO[bytes] | None = None) -> None:
        """Make them, or see those of another process.

        Args:
            infos: The tensors of a step.
            count: How many steps there is room for.
            file: That of the process which made them.

        Raises:
            OSError: If there is not so much memory.
        """
        self.infos, self.count, self._places = infos, count, dict[str, int]()
        size = 0
        for name in infos:
            self._places[name] = size
            size += -(-_bytes_of(infos, name) // _ALIGNED) * _ALIGNED
        self._size = max(size, _ALIGNED)
        self.file = file or _unnamed(count * self._size)
        self._memory = mmap.mmap(self.file.fileno(), count * self._size)

    @property
    def memory(self) -> Tensor:
        """All of it, as bytes."""
        return torch.frombuffer(self._memory, dtype=torch.uint8)

    def place(self, slot: int, name: str) -> Tensor:
        """Return where a tensor of a step is."""
        info, start = self.infos[name], slot * self._size + self._places[name]
        count = math.prod(info.shape)
        if not count:
            return torch.empty(info.shape, dtype=info.dtype)
        return torch.frombuffer(self._memory, dtype=info.dtype, count=count, offset=start).view(
            info.shape
        )


class Copies:
    """The tensors of one step that were copied: its `Checkpoints` and its `Tensors` at once."""

    def __init__(self, read: Callable[[str], Tensor], infos: Infos, step: Step) -> None:
        """See the tensors that the step has, each of which `read` returns a copy of."""
        self.read, self.infos, self.steps = read, infos, (step,)
        self.skipped: Mapping[str, str] = {}

    def open(self, index: int) -> AbstractContextManager["Copies"]:
        """Open the one step, number 0: itself."""
        assert index == 0, index
        return nullcontext(self)

    def fingerprint(self) -> str:
        """Return what tells this step from others of its training."""
        return f"step {self.steps[0].number}"


def _bytes_of(infos: Infos, name: str) -> int:
    return math.prod(infos[name].shape) * infos[name].dtype.itemsize


def _unnamed(size: int) -> IO[bytes]:
    """Return a file without a name, in memory where the system has such; it goes with its users.

    Raises:
        OSError: If there is not so much memory: taking it would end some process, not say so.
    """
    if hasattr(os, "memfd_create"):
        if size > (free := psutil.virtual_memory().available):
            raise OSError(errno.ENOMEM, f"{size / 1e9:.3g} GB; {free / 1e9:.3g} GB are free")
        file: IO[bytes] = os.fdopen(os.memfd_create("specflow"), "r+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    if hasattr(os, "posix_fallocate"):  # else a full memory would end the training with SIGBUS
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
    return file
