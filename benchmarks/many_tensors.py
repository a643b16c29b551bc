"""A checkpoint of 12,304 small tensors analysed, beside all of their singular values alone.

Each is 32 x 32, named as those of a network without a layout, and all are in one file. `specflow
analyze --quick` runs in a process of its own, and so does `torch.linalg.svdvals` of one tensor
after the other, which reads the file and keeps nothing: what else there is, of nearly 260,000
arrays in a file, tables, figures and a page, is what the rest of the time goes into.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

AT_MOST = 20  # times the CPU of the singular values alone; to read the spectra again would add 7
_EACH = 16  # tensors of a block
_REFERENCE = """
import sys, torch
from safetensors import safe_open
with safe_open(sys.argv[1], "pt") as file:
    for name in file.keys():
        torch.linalg.svdvals(file.get_tensor(name).double())
"""
_HERE = """
from specflow.cli import main
main()
"""
_PEAK = """
# not that of `resource`, which on Linux begins with the peak of the process that wrote the file
print(int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024)
"""


def main() -> None:
    """Print seconds and peak memory of both sides, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tensors", type=int, default=12304)
    parser.add_argument("--full", action="store_true", help="analyze without --quick")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = _write_checkpoint(folder / "many.safetensors", chosen.tensors)
        quick = [] if chosen.full else ["--quick"]
        reference = _measured(_REFERENCE, [str(file)])
        here = _measured(_HERE, ["analyze", *quick, "-o", str(folder / "out"), str(file)])
        rows = len((folder / "out" / "tables" / "spectra.csv").read_text().splitlines()) - 1
    assert rows == chosen.tensors, f"{rows} rows; expected one for each tensor"
    print(
        f"{chosen.tensors} tensors in one file, analyze {' '.join(quick)}: "
        f"here {here[0]:.1f} s ({here[1]:.1f} s of CPU) and {here[2]:.0f} MiB, singular values "
        f"alone {reference[0]:.1f} s ({reference[1]:.1f} s of CPU): {here[1] / reference[1]:.1f} "
        "times the CPU"
    )
    if chosen.tensors == 12304 and not chosen.full and here[1] > AT_MOST * reference[1]:
        sys.exit(f"expected at most {AT_MOST} times")


def _write_checkpoint(path: Path, count: int) -> Path:
    torch.manual_seed(0)
    names = (f"layers.{place // _EACH}.w{place % _EACH}.weight" for place in range(count))
    save_file({name: torch.randn(32, 32) / 32**0.5 for name in names}, path)
    return path


def _measured(program: str, arguments: list[str]) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU, and the peak memory in MiB of a program."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", program + _PEAK, *arguments]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, float(told.splitlines()[-1])


if __name__ == "__main__":
    main()
