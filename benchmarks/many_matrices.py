"""What analysis costs a matrix, of checkpoints of a thousand, of ten and of a hundred thousand.

Each matrix is 8 x 8, so that all there is around a decomposition is what takes time. Audit, spectra
(as with `--quick`) and tables are made in a process of its own for each size, and not drawn. Of ten
matrices they take what is there once, imports included; the rest is to grow as the number does.
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

AT_MOST = 1.1  # times the CPU a matrix that the smallest size takes
_SIDE, _EACH = 8, 16  # entries of a row; tensors of a block
_ANALYSIS = """
import sys
from pathlib import Path
from specflow.analysis import QUICK, spectra_of
from specflow.analysis.folder import write_tables

def main():
    table = spectra_of(sys.argv[1], {}, None, QUICK)
    write_tables(Path(sys.argv[2]), {"spectra": table})
    # not that of `resource`, which on Linux begins with the peak of the process that wrote the file
    peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
    print(len(table), int(peak) / 1024)

if __name__ == "__main__":
    main()
"""


def main() -> None:
    """Print seconds, those of CPU a matrix and step, peak memory of each size, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=2)
    chosen = parser.parse_args()
    _, start, least = _measured(10, chosen.steps)
    print(f"10 matrices, {chosen.steps} steps: {start:.1f} s of CPU, {least:.0f} MiB", flush=True)
    costs = []
    for size in chosen.sizes:
        seconds, cpu, peak = _measured(size, chosen.steps)
        costs.append((cpu - start) / (size * chosen.steps))
        print(
            f"{size} matrices: {seconds:.1f} s, {cpu:.1f} s of CPU, {1e3 * costs[-1]:.2f} ms a "
            f"matrix and step ({costs[-1] / costs[0]:.2f} times the smallest), {peak:.0f} MiB, "
            f"{1024 * (peak - least) / size:.1f} KiB a matrix",
            flush=True,
        )
    if max(costs) > AT_MOST * costs[0]:
        sys.exit(f"expected at most {AT_MOST} times")


def _measured(count: int, steps: int) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU, and the peak memory in MiB of an analysis."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_checkpoints(folder, count, steps)
        command = [sys.executable, "-c", _ANALYSIS, f"{folder}/step*.safetensors", f"{folder}/out"]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows, peak = told.split()
    assert int(rows) == count * steps, f"{rows} rows; expected one for each matrix and step"
    return seconds, cpu, float(peak)


def _write_checkpoints(folder: Path, count: int, steps: int) -> None:
    torch.manual_seed(0)
    weights = torch.randn(count, _SIDE, _SIDE)
    for step in range(steps):
        weights = weights + 0.03 * torch.randn(weights.shape)
        names = (f"layers.{place // _EACH}.w{place % _EACH}.weight" for place in range(count))
        own = {name: one.clone() for name, one in zip(names, weights, strict=True)}
        save_file(own, folder / f"step{step}.safetensors")


if __name__ == "__main__":
    main()
