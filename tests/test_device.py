import ctypes
import os
import platform
import resource
import subprocess
import sys

import pytest

from specflow.device import choose_device, keep_freed_memory
from specflow.errors import SpecflowError

STEPS = """
import resource, sys
import torch
from specflow.device import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def step():
    tensors = [torch.ones(size * 250_000) for size in range(1, 9)]  # 1 to 8 MB
    return sum(float(tensor[0]) for tensor in tensors)

for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(how: str) -> int:
    """Pages that are new to 20 steps where glibc, at first, gives all large tensors back."""
    command = [sys.executable, "-c", STEPS, how]
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    return int(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)


def test_other_c_libraries_are_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_steps_use_the_memory_of_the_steps_before() -> None:
    needed = 20 * 36_000_000 // resource.getpagesize()
    assert new_pages("leave") > 0.5 * needed
    assert new_pages("keep") < 0.05 * needed


@pytest.mark.parametrize("given", ["meta", "quantum", "cuda:99", "xla", ""])
def test_device_that_cannot_compute_here_is_named(monkeypatch, given) -> None:
    monkeypatch.setenv("SPECFLOW_DEVICE", given)
    with pytest.raises(
        SpecflowError, match=f"SPECFLOW_DEVICE: got '{given}'; expected cpu or cuda"
    ):
        choose_device()
