"""Memory that was freed, given back to the system."""

import ctypes


def release_memory() -> None:
    """Give freed memory back, where the C library can (glibc); elsewhere do nothing.

    Threads of a pool free large work arrays between small ones that stay for a while; glibc keeps
    such gaps for each thread, and over the batches of a suite they come to gigabytes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
