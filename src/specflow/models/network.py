"""What every model has: a section of params.yaml, and a network that knows its wiring."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from specflow.datasets.shapes import DataShape
from specflow.section import ByKind, KindSection
from specflow.wiring import Matrix, View, Wiring


class Network(nn.Module):
    """A network that knows its matrices and which of them are neighbours.

    The role "output" is that of its output layer, which pruning, masks and perturbation leave
    alone.
    """

    wiring: Wiring

    def matrix(self, name: str, label: str, role: str, *, transposed: bool = False) -> Matrix:
        """Return a parameter as a matrix that is tracked; `transposed` if its inputs come first."""
        shape = tuple(self.get_parameter(name).shape)
        return Matrix(name, label, View(name, shape, transposed=transposed), role)


_DRAW = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, Tensor.uniform_)


class _Undrawn(TorchFunctionMode):
    """Leave weights as the system hands out their memory, which takes none until it is touched.

    The meta device would do the same, but computes in Python, with torch's compiler imported.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call any function but those that fill a tensor with random numbers."""
        named = kwargs or {}
        if func in _DRAW:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


class ModelSection(KindSection):
    """A model section: sizes only; the shape of the data is added at building.

    Attributes:
        reads: Kind of the data shape that it reads.
        solves: Kinds of the problems that it can be trained on.
    """

    package: ClassVar[str] = "specflow.models"
    reads: ClassVar[str]
    solves: ClassVar[tuple[str, ...]] = ("classification",)

    def check_shape(self, shape: DataShape) -> None:
        """Check that the model can read the data.

        Raises:
            ValueError: If the model reads another kind of data, or another size.
        """
        if shape.kind != self.reads:
            raise ValueError(f"reads {self.reads}; got a dataset of {shape.kind}")

    def build(self, shape: DataShape, *, last_position_only: bool = False) -> Network:
        """Return a new network on the default device, initialized from torch's global generator.

        Args:
            shape: Shape of the data that it reads.
            last_position_only: For token models: compute the last position's logits only.

        Raises:
            ValueError: If the model cannot read data of this shape.
        """
        self.check_shape(shape)
        return self._build(shape, last_position_only)

    def wiring(self, shape: DataShape) -> Wiring:
        """Return the wiring of the network, without memory for its weights or a random draw."""
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), _Undrawn():
            return self.build(shape).wiring

    @abstractmethod
    def _build(self, shape: Any, last_position_only: bool) -> Network:
        """Return the network for a shape that fits."""


Model = Annotated[ModelSection, ByKind()]
