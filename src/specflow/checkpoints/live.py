"""A network in memory as checkpoints of one step."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from specflow.checkpoints.base import Infos, Step, TensorInfo
from specflow.checkpoints.stream import content_of
from specflow.checkpoints.torch_files import reason_to_skip
from specflow.errors import SpecflowError
from specflow.wiring.names import check_names


class LiveCheckpoints:
    """A module or a state dict: its one step, `Checkpoints` and its `Tensors` at once.

    Weights are read when they are asked for, on whatever device they lie.

    >>> from torch import nn
    >>> live = LiveCheckpoints(nn.Linear(3, 2))
    >>> with live.open(0) as tensors:
    ...     tensors.read("weight").shape
    torch.Size([2, 3])
    """

    def __init__(self, weights: nn.Module | Mapping[str, Tensor], step: int = 0) -> None:
        """Look at the names and shapes; nothing is copied.

        Args:
            weights: The network, or its state dict.
            step: What the step is called.

        Raises:
            SpecflowError: If a name is no HDF5 path.
        """
        if isinstance(weights, nn.Module):
            self._state: Mapping[str, Tensor] = weights.state_dict()
            place = type(weights).__name__
        else:
            self._state, place = weights, "state dict"
        self.steps = (Step(step, None, place),)
        for name in self._state:
            if not isinstance(name, str):
                raise SpecflowError(f"{place}: a tensor has the name {name!r}; expected text")
        reasons = {name: reason_to_skip(value) for name, value in self._state.items()}
        self.skipped: Mapping[str, str] = {n: why for n, why in reasons.items() if why is not None}
        self.infos: Infos = {
            name: TensorInfo(tuple(value.shape), value.dtype)
            for name, value in self._state.items()
            if name not in self.skipped
        }
        check_names(place, self.infos)

    @contextmanager
    def open(self, index: int) -> Iterator["LiveCheckpoints"]:
        """Open the one step.

        Args:
            index: Its number, 0.

        Yields:
            Itself.
        """
        assert index == 0, index
        yield self

    def read(self, name: str) -> Tensor:
        """Return a copy of one tensor on the CPU in its own dtype."""
        tensor = self._state[name].detach()
        return tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)

    def fingerprint(self) -> str:
        """Return a SHA-256 of all weights as they are now."""
        digest = hashlib.sha256()
        for name, info in self.infos.items():
            digest.update(f"{name} {info}\0".encode())
            digest.update(content_of(self.read(name)))
        return digest.hexdigest()
