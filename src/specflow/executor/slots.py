"""Slots: where members of this machine run, and how many side by side."""

import os
from dataclasses import dataclass
from typing import Literal

from specflow.executor.cores import num_workers, whole_number

# What a member keeps busy: one core, or with its threads every core that it is given.
Needs = Literal["core", "machine"]
_MEMBER_BYTES = 20 * 2**30  # of a GPU's memory, for one member


@dataclass(frozen=True)
class Slot:
    """A place for one member at a time.

    Attributes:
        workers: Threads of a member that needs a machine.
        gpu: What `CUDA_VISIBLE_DEVICES` is for it; None leaves it as it is.
    """

    workers: int
    gpu: str | None = None


def slots_for(needs: Needs) -> list[Slot]:
    """Return the slots of this machine: of its GPUs, if members compute on these, or of its cores.

    `SPECFLOW_MEMBERS_PER_DEVICE` members share a GPU: one for every 20 GiB of its memory, if it
    is not set, since small networks leave a large GPU idle.

    Raises:
        SpecflowError: If a variable is no number, or the device that is asked for is not there.
    """
    from specflow.device import choose_device, gpus  # here: it imports torch, stages begin without

    workers = num_workers()
    if choose_device().type == "cuda":
        return gpu_slots(gpus(), workers)
    return [Slot(workers)] if needs == "machine" else [Slot(1)] * workers


def gpu_slots(memory: dict[str, int], workers: int) -> list[Slot]:
    """Return the slots of GPUs, one of each before the second of any.

    Args:
        memory: Bytes of each GPU, by what `CUDA_VISIBLE_DEVICES` calls it.
        workers: Threads of all members together.

    Raises:
        SpecflowError: If `SPECFLOW_MEMBERS_PER_DEVICE` is not a whole number of at least 1.
    """
    given = whole_number("SPECFLOW_MEMBERS_PER_DEVICE")
    count = {gpu: given or max(size // _MEMBER_BYTES, 1) for gpu, size in memory.items()}
    threads = max(workers // sum(count.values()), 1)
    turns = range(max(count.values()))
    return [Slot(threads, gpu) for turn in turns for gpu, many in count.items() if turn < many]


def take(slot: Slot) -> None:
    """Let this process compute in a slot; before it asks CUDA for anything."""
    os.environ["SPECFLOW_WORKERS"] = str(slot.workers)
    if slot.gpu is not None:
        os.environ |= {"CUDA_VISIBLE_DEVICES": slot.gpu, "SPECFLOW_DEVICE": "cuda"}
