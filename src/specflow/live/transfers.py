"""Copies out of the memory of a GPU that go on beside the training.

A weight is copied within the GPU, which takes little, and from there on a stream of its own into
memory that the GPU writes to itself. So neither the training nor its kernels wait for the bus.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor

_sides: dict[torch.device, torch.cuda.Stream] = {}


class Transfer:
    """The copies of one step, which may be read when it is done.

    Copies out of the memory of the CPU are done at once.
    """

    def __init__(self) -> None:
        """Have nothing to wait for."""
        self._devices: dict[torch.device, _Device] = {}
        self._done: list[torch.cuda.Event] = []

    def copy(self, place: Tensor, source: Tensor) -> None:
        """Copy a tensor, which may change at once, to its place.

        Without room on the GPU for one more like it the training waits.
        """
        if not source.is_cuda:
            place.copy_(source)
            return
        if source.device not in self._devices:
            self._devices[source.device] = _Device(source.device)
        self._devices[source.device].copy(place, source)

    def end(self) -> None:
        """Say that there are no more."""
        self._done = [_event(one.side) for one in self._devices.values()]

    @property
    def is_done(self) -> bool:
        """Whether all copies are there."""
        return all(event.query() for event in self._done)

    def wait(self) -> float:
        """Wait until all are; return the seconds that the training's own streams took for them."""
        for event in self._done:
            event.synchronize()
        each = self._devices.values()
        return sum(one.began.elapsed_time(one.ended) for one in each) / 1000


class Before(NamedTuple):
    """Copies of the weights of the step before one that is due, to know what that changes.

    Attributes:
        slot: Where they are.
        step: The step.
        transfer: When they are there.
        absent: What copies are called that were not made.
        took: Seconds that they took.
    """

    slot: int
    step: int
    transfer: Transfer
    absent: set[str]
    took: float


def numbers_in(
    scalars: Mapping[str, Any], transfer: Transfer
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return copies of what was given of a step, and the type of each that is no number."""
    found: dict[str, Tensor] = {}
    refused: dict[str, str] = {}
    for name, value in scalars.items():
        try:
            number = torch.as_tensor(value).detach().reshape(()).to(torch.float64)
        except (TypeError, ValueError, RuntimeError):
            shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
            refused[name] = f"{type(value).__name__}{shape}"
            continue
        found[name] = torch.empty((), dtype=torch.float64, pin_memory=number.is_cuda)
        transfer.copy(found[name], number)
    return found, refused


class _Device:
    """What a GPU copies of a step."""

    def __init__(self, device: torch.device) -> None:
        self.side = _sides.get(device) or _sides.setdefault(device, torch.cuda.Stream(device))
        self._training = torch.cuda.current_stream(device)
        self.began, self.ended = _event(self._training), _event(self._training)
        in_use = torch.cuda.memory_stats(device).get("active_bytes.all.current", 0)
        free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - in_use
        self._room = free // 2

    def copy(self, place: Tensor, source: Tensor) -> None:
        kept = self._kept(source)
        if kept is None:
            place.copy_(source)
            return
        self.ended.record(self._training)
        self.side.wait_stream(self._training)
        with torch.cuda.stream(self.side):
            place.copy_(kept, non_blocking=True)
        kept.record_stream(self.side)  # its memory is not used again before that

    def _kept(self, source: Tensor) -> Tensor | None:
        """Return a copy within the GPU, None if that would take more than half of what is free."""
        self._room -= source.nbytes
        if self._room < 0:
            return None
        try:
            return source.clone(memory_format=torch.contiguous_format)
        except torch.cuda.OutOfMemoryError:  # what is free is in pieces
            return None


def pin(memory: Tensor) -> bool:
    """Let GPUs write to memory themselves; return whether the system allows so much."""
    code = torch.cuda.cudart().cudaHostRegister(memory.data_ptr(), memory.nbytes, 0)
    if int(code):
        with suppress(RuntimeError):  # which the next kernel would raise, in the training
            torch.zeros(1, device="cuda")
    return not int(code)


def unpin(memory: Tensor) -> None:
    """Take that back, before the memory goes, when nothing is written there any more."""
    for side in _sides.values():
        side.synchronize()
    torch.cuda.cudart().cudaHostUnregister(memory.data_ptr())


def _event(stream: torch.cuda.Stream) -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record(stream)
    return event
