"""Two models analysed here and by diffract-core: time and peak memory, measured in one run.

48 matrices of 512 to 2048 in float32 and a second model near the first: ranks, norms and agreement
of singular vectors. The peer is installed into a temporary folder, apart from the project's own
dependencies. It needs Python 3.12: `--python` names one, by default the first on the PATH. Each
side runs in a process of its own, turn by turn, and reads the same safetensors files.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from specflow.executor import num_workers

SIZES = (512, 768, 1024, 1536, 2048)
PEER = "diffract-core==0.3.1"
FASTER, SMALLER = 5.0, 0.5
NO_CORE_TYPE = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # they hold numpy back

_COMMON = """
import json, sys, time
started = time.perf_counter()
def end(values):
    # not that of `resource`, which on Linux begins with the peak of the process that wrote files
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps([time.perf_counter() - started, peak, values]))
"""
_OURS = """
import specflow
table = specflow.analyze(sys.argv[1:], layout="none", quick=True)
last = table[table["step"] == 1].set_index("matrix")
end({
    "ranks": last["effective_rank"].to_dict(),
    "agreement": last["step_agreement_score"].to_dict(),
})
"""
_PEER = """
from diffract import Session
from safetensors.numpy import load_file
with Session(profile="ram") as session:
    for number, path in enumerate(sys.argv[1:]):
        session.models.add(load_file(path), model_id=str(number))
    session.compute.apply("effective_rank", "stable_rank", "frob_norm", "l2_norm")
    session.compute.apply("l_agreement", "r_agreement")
    ranks = session.results.export_metrics("effective_rank", export_format="list")
    both = session.results.export_aggregates("l_agreement", "r_agreement", export_format="list")
    name = lambda parameter: parameter.removesuffix(".weight")
    sides = {(one["field"], name(one["context_params"][0])): one["value"] for one in both}
    end({
        "ranks": {name(one["parameter_name"]): float(one["effective_rank"])
            for one in ranks if one["model_id"] == "1"},
        "agreement": {parameter: float((left * sides["r_agreement", parameter])[-10:].mean())
            for (side, parameter), left in sides.items() if side == "l_agreement"},
    })
"""


def main() -> None:
    """Print times and peak memory of both sides, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=newer_python(), help="Python 3.12 or later")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--matrices", type=int, default=48)
    chosen = parser.parse_args()
    if chosen.python is None:
        print("skipped: diffract-core needs Python 3.12, and none is on the PATH; use --python")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = _write_models(folder, chosen.matrices)
        _install(chosen.python, folder / "peer")
        sides = {
            "here": ([sys.executable], _OURS, os.environ.get("PYTHONPATH", "")),
            "diffract-core": ([chosen.python], _PEER, str(folder / "peer")),
        }
        found: dict[str, list] = {side: [] for side in sides}
        for _ in range(chosen.turns):
            for side, (python, program, path) in sides.items():
                found[side].append(_measure([*python, "-c", _COMMON + program, *models], path))
    _report(found, chosen.matrices)


def newer_python() -> str | None:
    """Return the first Python from 3.12 on of the PATH that starts."""
    found = filter(None, (shutil.which(f"python3.{minor}") for minor in range(12, 20)))
    return next(filter(_runs, found), None)


def _runs(python: str) -> bool:
    """Return whether a program starts: a version manager may leave names that only refuse."""
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def _write_models(folder: Path, count: int) -> list[str]:
    torch.manual_seed(0)
    shapes = [(SIZES[i % 5], SIZES[(i // 5) % 5]) for i in range(count)]
    first = {f"layers.{i}.weight": _matrix(*shape) for i, shape in enumerate(shapes)}
    second = {name: 0.9 * weight + 0.1 * _matrix(*weight.shape) for name, weight in first.items()}
    paths = []
    for number, model in enumerate((first, second)):
        paths.append(str(folder / f"model{number}.safetensors"))
        save_file(model, paths[-1])
    return paths


def _matrix(rows: int, columns: int) -> torch.Tensor:
    """Return noise and a few strong directions, as a trained matrix has."""
    noise = torch.randn(rows, columns) / columns**0.5
    strong = torch.randn(rows, 16) * torch.linspace(3, 1, 16) / rows**0.5
    return noise + strong @ torch.randn(16, columns) / columns**0.5


def _install(python: str, target: Path) -> None:
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([python, "-c", show], check=True, capture_output=True, text=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    pip += ["--python-version", version.stdout.strip(), "--only-binary", ":all:"]
    subprocess.run([*pip, PEER, "safetensors"], check=True, stderr=subprocess.DEVNULL)


def _measure(command: list[str], path: str) -> tuple[float, float, dict]:
    """Return seconds, peak memory in MiB and what was computed."""
    environment = {key: value for key, value in os.environ.items() if key not in NO_CORE_TYPE}
    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": path}, check=True, stdout=subprocess.PIPE
    )
    seconds, peak, values = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak, values


def _check(ours: dict[str, dict], theirs: dict[str, dict]) -> None:
    """Check that both sides computed the same, to the digits of float32 and of our tables."""
    for quantity, values in ours.items():
        assert values.keys() == theirs[quantity].keys()
        for matrix, value in values.items():
            other = theirs[quantity][matrix]
            assert abs(value - other) < 2e-3 * abs(other), (quantity, matrix, value, other)


def _report(found: dict[str, list], count: int) -> None:
    seconds = {side: statistics.median(one[0] for one in turns) for side, turns in found.items()}
    peaks = {side: max(one[1] for one in turns) for side, turns in found.items()}
    _check(found["here"][0][2], found["diffract-core"][0][2])
    faster = seconds["diffract-core"] / seconds["here"]
    smaller = peaks["here"] / peaks["diffract-core"]
    print(
        f"ranks and agreement of two models of {count} matrices, {num_workers()} workers: "
        f"here {seconds['here']:.1f} s and {peaks['here']:.0f} MiB, "
        f"diffract-core {seconds['diffract-core']:.1f} s and {peaks['diffract-core']:.0f} MiB: "
        f"{faster:.1f} times as fast, {smaller:.2f} of the memory"
    )
    if count == 48 and (faster < FASTER or smaller > SMALLER):
        sys.exit(f"expected at least {FASTER:g} times as fast in at most {SMALLER:g} of the memory")


if __name__ == "__main__":
    main()
