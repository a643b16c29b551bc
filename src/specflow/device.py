"""The device: chosen by the environment, since it is no part of an experiment."""

import ctypes
import os

import torch
from threadpoolctl import threadpool_limits

from specflow.errors import SpecflowError, one_line

# Numbers of two settings in glibc's malloc.h, and their values: plenty, and the most there may be.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _KEPT_IN_ONE_PIECE = 2**30, 2**25  # bytes


def choose_device() -> torch.device:
    """Return the device of `SPECFLOW_DEVICE`, else the GPU if there is one, else the CPU.

    Raises:
        SpecflowError: If the variable names no device that is there.
    """
    default = "cuda" if torch.cuda.is_available() else "cpu"
    given = os.environ.get("SPECFLOW_DEVICE", default)
    expected = f"SPECFLOW_DEVICE: got {given!r}; expected cpu or cuda"
    try:
        device = torch.device(given)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SpecflowError(f"{expected} ({one_line(error)})") from error
    if device.type not in ("cpu", "cuda"):
        raise SpecflowError(expected)
    return device


def gpus() -> dict[str, int]:
    """Return the memory in bytes of every GPU that `choose_device` allows, by a name of it.

    The names are those of `CUDA_VISIBLE_DEVICES`.
    """
    index = choose_device().index
    indices = range(torch.cuda.device_count()) if index is None else [index]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = None if visible is None else [name.strip() for name in visible.split(",")]
    return {
        names[i] if names else str(i): torch.cuda.get_device_properties(i).total_memory
        for i in indices
    }


def make_deterministic(device: torch.device) -> None:
    """Set torch up so that the same run gives the same bytes on a device.

    On the CPU a member computes with one thread, so that sums do not depend on the machine's
    number of cores. On a GPU operations without a deterministic form only warn.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("error" if device.type == "cpu" else "warn")
    # Filling new memory would cost 7% and change nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.type == "cpu":
        torch.set_num_threads(1)
        threadpool_limits(1, user_api="blas")  # below numpy and scipy


def keep_freed_memory() -> None:
    """Let glibc keep up to a GiB of freed memory for the next step, whose tensors are as large.

    Otherwise it gives large tensors back to the system, and every page of them is mapped and
    zeroed again at every step: a fourth of the time of a small UNet. Other C libraries have no such
    setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_TRIM_THRESHOLD, _KEPT)
        set_option(_MMAP_THRESHOLD, _KEPT_IN_ONE_PIECE)
