"""Copies out of the memory of a GPU that go on beside the training.

A weight is copied within the GPU, which takes little, and from there on a stream of its own into
memory that the GPU writes to itself. So neither the training nor its kernels wait for the bus.
"""

import torch
from torch import Tensor

_sides: dict[torch.device, torch.cuda.Stream] = {}


class Transfer:
    """The copies of one step, which may be read when it is done.

    Copies out of the memory of the CPU are done at once.
    """

    def __init__(self) -> None:
        """Have nothing to wait for."""
        self._clones: dict[torch.device, tuple[torch.cuda.Event, torch.cuda.Event]] = {}
        self._done: list[torch.cuda.Event] = []

    def copy(self, place: Tensor, source: Tensor, *, is_own: bool) -> None:
        """Copy a tensor to its place; if it `is_own`, nobody else will change it.

        Without room on the GPU for one more like it the training waits.
        """
        if not source.is_cuda or not (is_own or _has_room(source)):
            place.copy_(source)
            return
        device = source.device
        side = _sides.get(device) or _sides.setdefault(device, torch.cuda.Stream(device))
        training = torch.cuda.current_stream(device)
        if device not in self._clones:
            self._clones[device] = _event(training), torch.cuda.Event(enable_timing=True)
        kept = source if is_own else source.clone(memory_format=torch.contiguous_format)
        self._clones[device][1].record(training)
        side.wait_stream(training)
        with torch.cuda.stream(side):
            place.copy_(kept, non_blocking=True)
        kept.record_stream(side)  # its memory is not used again before that

    def end(self) -> None:
        """Say that there are no more."""
        self._done = [_event(_sides[device]) for device in self._clones]

    @property
    def is_done(self) -> bool:
        """Whether all copies are there."""
        return all(event.query() for event in self._done)

    def wait(self) -> float:
        """Wait until all are; return the seconds that the training's own stream took for them."""
        for event in self._done:
            event.synchronize()
        return sum(began.elapsed_time(ended) for began, ended in self._clones.values()) / 1000


def pin(memory: Tensor) -> None:
    """Let GPUs write to memory themselves, as far as the system allows so much."""
    torch.cuda.cudart().cudaHostRegister(memory.data_ptr(), memory.nbytes, 0)


def unpin(memory: Tensor) -> None:
    """Take that back, before the memory goes, when nothing is written there any more."""
    torch.cuda.synchronize()
    torch.cuda.cudart().cudaHostUnregister(memory.data_ptr())


def _event(stream: torch.cuda.Stream) -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record(stream)
    return event


def _has_room(source: Tensor) -> bool:
    free = torch.cuda.mem_get_info(source.device)[0]
    held = torch.cuda.memory_reserved(source.device) - torch.cuda.memory_allocated(source.device)
    return free + held > 2 * source.nbytes
