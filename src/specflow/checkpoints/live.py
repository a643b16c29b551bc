"""A network in memory as checkpoints of one step."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from specflow.checkpoints.base import Step
from specflow.checkpoints.formats import held_by
from specflow.checkpoints.stream import content_of
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
            SpecflowError: If a name is no text or no HDF5 path.
        """
        self._state: Mapping[str, Tensor]
        if isinstance(weights, nn.Module):
            self._state, place = weights.state_dict(), type(weights).__name__
        else:
            self._state, place = weights, "state dict"
        self.steps = (Step(step, None, place),)
        self.infos, self.skipped = held_by(self._state, place)
        check_names(place, self.infos)

    def open(self, index: int) -> AbstractContextManager["LiveCheckpoints"]:
        """Open the one step, number 0: itself."""
        assert index == 0, index
        return nullcontext(self)

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
