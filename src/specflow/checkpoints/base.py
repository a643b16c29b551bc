"""The protocol of checkpoints: nothing after it knows where weights come from."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from specflow.wiring.tensors import TensorInfo

Infos = Mapping[str, TensorInfo]


@dataclass(frozen=True)
class Step:
    """One step of a training.

    Attributes:
        number: Number of optimizer steps taken, or what its file calls it.
        epoch: The same in epochs, where that is known.
        place: Where it lies, for messages: "run/step100.safetensors".
    """

    number: int
    epoch: float | None
    place: str


class Tensors(Protocol):
    """The tensors of one open step.

    Attributes:
        infos: Shape and dtype of every tensor by name, in order of the model where it is known,
            else of the names with numbers by value.
        skipped: Why an entry cannot be read as a dense tensor, by its name.
    """

    infos: Infos
    skipped: Mapping[str, str]

    def read(self, name: str) -> Tensor:
        """Return a copy of one tensor on the CPU in its own dtype; memory is that of the tensor.

        Raises:
            SpecflowError: If the file is damaged there.
        """


@runtime_checkable
class Expecting(Protocol):
    """Tensors that are read faster if they know what is read next, as from a server."""

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read, all of them."""


def expect(tensors: Tensors, names: Iterable[str]) -> None:
    """Tell tensors which of them will be read next, if that is of use to them."""
    if isinstance(tensors, Expecting):
        tensors.expect(names)


class Checkpoints(Protocol):
    """One network's training: its steps, ascending."""

    @property
    def steps(self) -> Sequence[Step]:
        """The steps, ascending, one or more."""

    def open(self, index: int) -> AbstractContextManager[Tensors]:
        """Open the step number `index` (from 0) for reading.

        Raises:
            SpecflowError: If it cannot be read.
        """

    def fingerprint(self) -> str:
        """Return what changes when a file does (places, sizes, times): a key for resuming."""
