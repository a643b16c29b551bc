"""Peak memory of a large embedding beside its own size: two steps of 262,144 x 1152 in float32.

Each analysis is `specflow analyze` in a process of its own, quick and full, of one step and of
both. Not more than four times the size of the matrix is to be in memory. (This process stays
small: the peak that Linux tells of another begins with that of the one which started it.)
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 4.0  # times the size of the matrix


def main() -> None:
    """Print the peak memory of each analysis, in MiB and over the size of the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=262144)
    parser.add_argument("--columns", type=int, default=1152)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write is not None:
        _write(chosen.write, chosen.rows, chosen.columns)
        return
    with tempfile.TemporaryDirectory() as name:
        _run(__file__, *sys.argv[1:], "--write", name)
        ratios = _analyses(Path(name), chosen.rows * chosen.columns * 4 / 2**20)
    if max(ratios) > LIMIT:
        sys.exit(f"{max(ratios):.2f} times its size; expected at most {LIMIT:g}")


def _write(folder: Path, rows: int, columns: int) -> None:
    import torch  # here, since the process that measures is to stay small
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    weight = torch.zeros(rows, columns)
    for step in range(2):
        weight += torch.randn(rows, columns, generator=generator) / columns**0.5
        save_file({"model.embed_tokens.weight": weight}, folder / f"step{step}.safetensors")


def _analyses(folder: Path, size: float) -> list[float]:
    """Return the peak memory of each analysis over the size of the matrix in MiB."""
    ratios = []
    for count in (1, 2):
        files = [str(folder / f"step{step}.safetensors") for step in range(count)]
        for more in (["--quick"], []):
            output = ["--output", str(folder / f"of{count}{''.join(more)}")]
            seconds, peak = _run("-m", "specflow", "analyze", *files, *more, *output)
            ratios.append(peak / size)
            print(
                f"analyze {' '.join(more)} of {count} x {size:.0f} MiB: {peak:.0f} MiB, "
                f"{ratios[-1]:.2f} times its size; {seconds:.0f} s",
                flush=True,
            )
    return ratios


def _run(*arguments: str) -> tuple[float, float]:
    """Run a Python program to its end; return seconds and peak memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(arguments)} ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
