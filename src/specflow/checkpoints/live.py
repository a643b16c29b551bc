"""Networks in memory as checkpoints: one step, or several by their numbers."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from specflow.checkpoints.base import Infos, Step, Tensors
from specflow.checkpoints.effective.live import adapters_of, applied_by
from specflow.checkpoints.effective.parts import Recomposed
from specflow.checkpoints.effective.tensors import Effective
from specflow.checkpoints.sharded import whole
from specflow.checkpoints.state_dicts import NOT_DENSE, no_tensor, unrolled, weights_in
from specflow.checkpoints.stream import content_of
from specflow.checkpoints.wrappers import Unwrapped
from specflow.errors import SpecflowError
from specflow.wiring.names import check_names
from specflow.wiring.tensors import TensorInfo

Weights = nn.Module | Mapping[Any, Any]


class LiveCheckpoints(Effective):
    """A module or a state dict: its one step, `Checkpoints` and its `Tensors` at once.

    Weights are read when they are asked for, on whatever device they lie: as modules apply them in
    evaluation (`effective_live`), by names without those of wrappers. Of a network that processes
    share all of them read the same at the same time.

    >>> from torch import nn
    >>> live = LiveCheckpoints(nn.Linear(3, 2))
    >>> with live.open(0) as tensors:
    ...     tensors.read("weight").shape
    torch.Size([2, 3])
    """

    def __init__(self, weights: Weights, step: int = 0, key: str | None = None) -> None:
        """Look at the names and shapes; nothing is copied.

        Args:
            weights: The network, its state dict, or a training checkpoint that holds one.
            step: What the step is called.
            key: Where the weights are in a checkpoint, with dots; None finds them.

        Raises:
            SpecflowError: If there are no weights there, or a name is no text or no HDF5 path.
        """
        tensors: Tensors
        adapters = None
        if isinstance(weights, nn.Module) and key is None:
            place, adapters = type(weights).__name__, adapters_of(weights)
            state = _State(weights.state_dict(), {}, place)
            tensors = Recomposed(state, applied_by(weights, state.infos))
        else:
            place = "state dict"
            tensors = _State(*_weights_in(weights, key, place), place)
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


class LiveSteps:
    """Networks in memory as the steps of one training (`Checkpoints`)."""

    def __init__(self, weights: Mapping[int, Weights], key: str | None = None) -> None:
        """Look at the names and shapes; nothing is copied.

        Args:
            weights: The network, or its state dict, at each step.
            key: As for `LiveCheckpoints`.

        Raises:
            SpecflowError: As for `LiveCheckpoints`, or if a step is less than 0.
        """
        if min(weights) < 0:
            raise SpecflowError(f"checkpoints: step {min(weights)}; expected numbers from 0 on")
        self._each = [LiveCheckpoints(weights[step], step, key) for step in sorted(weights)]
        self.steps = tuple(one.steps[0] for one in self._each)

    def open(self, index: int) -> AbstractContextManager[LiveCheckpoints]:
        """Open the step number `index` (from 0)."""
        return self._each[index].open(0)

    def fingerprint(self) -> str:
        """Return a SHA-256 of all weights as they are now, and of their steps."""
        each = (f"{one.steps[0].number} {one.fingerprint()}" for one in self._each)
        return hashlib.sha256("\n".join(each).encode()).hexdigest()


def are_steps(weights: object) -> TypeGuard[Mapping[int, Weights]]:
    """Return whether what is in memory is the weights of several steps, each by its number."""
    return (
        isinstance(weights, Mapping)
        and len(weights) > 0
        and all(type(step) is int for step in weights)
        and all(isinstance(one, nn.Module | Mapping) for one in weights.values())
    )


class _State:
    """The tensors of a state dict (`Tensors`)."""

    def __init__(self, state: Mapping[Any, Any], others: Mapping[str, str], place: str) -> None:
        self._state = dict(unrolled(state))
        self.infos, skipped = _held_by(self._state, place)
        self.skipped: Mapping[str, str] = {**others, **skipped}

    def read(self, name: str) -> Tensor:
        tensor = whole(self._state[name].detach())
        return tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)


def _none_beside(_: str) -> None:
    """Return what lies beside a network in memory: no file."""


def _weights_in(
    content: object, key: str | None, place: str
) -> tuple[Mapping[Any, Any], Mapping[str, str]]:
    """Return the state dict of what is in memory, as of a file.

    Raises:
        SpecflowError: If there is none, or several, or they lie within each other without end.
    """
    try:
        return weights_in(content, key, place)
    except SpecflowError:
        raise
    except ValueError as error:
        raise SpecflowError(f"{place}: {error}") from error


def _held_by(state: Mapping[Any, Any], place: str) -> tuple[Infos, Mapping[str, str]]:
    """Return what a state dict holds, and why its other entries are no dense tensors.

    Raises:
        SpecflowError: If a name is no text.
    """
    infos, skipped = {}, {}
    for name, value in state.items():
        if not isinstance(name, str):
            raise SpecflowError(f"{place}: a tensor has the name {name!r}; expected text")
        if not isinstance(value, Tensor):
            skipped[name] = no_tensor(value)
        elif value.layout != torch.strided or value.device.type == "meta":
            skipped[name] = NOT_DENSE
        else:
            infos[name] = TensorInfo(tuple(value.shape), value.dtype)
    return infos, skipped
