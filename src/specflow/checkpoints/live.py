"""A network in memory as checkpoints of one step."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from specflow.checkpoints.base import Step, Tensors
from specflow.checkpoints.effective.live import adapters_of, applied_by
from specflow.checkpoints.effective.parts import Recomposed
from specflow.checkpoints.effective.tensors import Effective
from specflow.checkpoints.formats import held_by
from specflow.checkpoints.stream import content_of
from specflow.checkpoints.wrappers import Unwrapped
from specflow.wiring.names import check_names


class LiveCheckpoints(Effective):
    """A module or a state dict: its one step, `Checkpoints` and its `Tensors` at once.

    Weights are read when they are asked for, on whatever device they lie: as modules apply them in
    evaluation (`effective_live`), by names without those of wrappers.

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
        tensors: Tensors
        if isinstance(weights, nn.Module):
            place, adapters = type(weights).__name__, adapters_of(weights)
            state = _State(weights.state_dict(), place)
            tensors = Recomposed(state, applied_by(weights, state.infos))
        else:
            place, adapters = "state dict", None
            tensors = _State(weights, place)
        check_names(place, tensors.infos)
        self.steps = (Step(step, None, place),)
        super().__init__(Unwrapped(tensors), _none_beside, adapters)

    def open(self, index: int) -> AbstractContextManager["LiveCheckpoints"]:
        """Open the one step, number 0: itself."""
        assert index == 0, index
        return nullcontext(self)

    def fingerprint(self) -> str:
        """Return a SHA-256 of all weights as they are now."""
        digest = hashlib.sha256()
        for name, info in self.infos.items():
            digest.update(f"{name} {info}\0".encode())
            digest.update(content_of(self.read(name)))
        return digest.hexdigest()


class _State:
    """The tensors of a state dict (`Tensors`)."""

    def __init__(self, state: Mapping[str, Tensor], place: str) -> None:
        self._state = state
        self.infos, self.skipped = held_by(state, place)

    def read(self, name: str) -> Tensor:
        tensor = self._state[name].detach()
        return tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)


def _none_beside(_: str) -> None:
    """Return what lies beside a network in memory: no file."""
