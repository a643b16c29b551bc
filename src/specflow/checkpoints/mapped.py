"""Files that are mapped into memory while tensors are read from them, one at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos
from specflow.errors import SpecflowError, one_line

MAPPED_BYTES = 64 * 2**20


class MappedFile(ABC):
    """The tensors of a file, which is opened once for many of them.

    Pages that were read count as memory until the file is closed: so it is closed, and opened
    anew, after `MAPPED_BYTES` that were read.
    """

    infos: Infos
    skipped: Mapping[str, str]

    def __init__(self, path: Path) -> None:
        """Map the file; `infos` and `skipped` are left to the kinds of files.

        Raises:
            SpecflowError: If it is broken.
        """
        self._path, self._size = path, self._size_now(path)
        self._content: Any = self._map()
        self._num_bytes_read = 0

    @abstractmethod
    def _map(self) -> Any:
        """Return the mapped file; raises SpecflowError if it is broken."""

    @abstractmethod
    def _take(self, content: Any, name: str) -> Tensor:
        """Return a tensor that may lie in the mapped file."""

    def read(self, name: str) -> Tensor:
        """Return one tensor on the CPU in its own dtype.

        Args:
            name: One of `infos`.

        Returns:
            A contiguous tensor that does not depend on the file any more.

        Raises:
            SpecflowError: If the file was cut or grew since it was opened.
        """
        now = self._size_now(self._path)
        if now != self._size:  # pages behind the end of a mapped file would end the process
            raise SpecflowError(
                f"{self._path}: broken or truncated while it was read ({now} bytes, "
                f"{self._size} before); expected a file that stays as it is"
            )
        if self._content is None:
            self._content = self._map()
        tensor = self._take(self._content, name).clone(memory_format=torch.contiguous_format)
        self._num_bytes_read += tensor.nbytes
        if self._num_bytes_read > MAPPED_BYTES:
            self.release()
        return tensor

    def release(self) -> None:
        """Close the file; it is mapped again when the next tensor is read."""
        self._content, self._num_bytes_read = None, 0

    @staticmethod
    def _size_now(path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError as error:
            raise SpecflowError(f"{path}: cannot be read ({one_line(error)})") from error
