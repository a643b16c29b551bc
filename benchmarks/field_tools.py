"""What the field's tools say of the same files: agreement, the truth where it is known, cost.

weightwatcher, diffract-core and powerlaw read the same made-up checkpoints as specflow: a small
Llama-like and a VGG-like network (noise and up to eight strong directions a matrix), noise alone,
and matrices whose eigenvalues are drawn from power laws. Each tool has its defaults, a process of
its own and, below `--folder`, an environment of its own that pip makes once. Where values differ
the tool's definition is applied here, by numpy, and what difference is left then is told.

    python -m benchmarks.field_tools [--folder FOLDER] [--python PYTHON_OF_DIFFRACT]
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarks.checkpoints_diffract import NO_CORE_TYPE, PEER, newer_python
from benchmarks.planted import EXPONENTS, Planted, write_files
from numpy.typing import NDArray
from safetensors.torch import load_file

Doubles = NDArray[np.float64]
Values = Mapping[str, Mapping[str, float]]  # by quantity and matrix
AGREES = 1e-3  # relative: the tools compute in float32 or print as many digits


class Tool(NamedTuple):
    """A tool as it is run: what pip installs (None: what runs this) and its program."""

    name: str
    packages: tuple[str, ...] | None
    program: str


_COMMON = """
import json, math, sys, time
from pathlib import Path
started, found, spent = time.perf_counter(), {}, []
def stop():
    status = Path("/proc/self/status").read_text()
    spent[:] = time.perf_counter() - started, int(status.partition("VmHWM:")[2].split()[0]) / 1024
def put(path, matrix, **values):
    for quantity, value in values.items():
        matrices = found.setdefault(quantity, {})
        matrices[Path(path).stem + ":" + matrix.removesuffix(".weight")] = float(value)
"""
_END = """
print("\\n" + json.dumps([spent, found]))
"""
_HERE = """
import specflow
tables = [specflow.analyze(path, layout="none", quick=QUICK) for path in sys.argv[1:]]
stop()
from safetensors.torch import load_file
from specflow.spectra import fit_power_law, singular_values
for path, table in zip(sys.argv[1:], tables):
    weights = load_file(path)
    for row in table.to_dict("records"):
        own = "frobenius_norm spectral_norm log_norm log_spectral_norm stable_rank effective_rank"
        put(path, row["matrix"], **{name: row[name] for name in own.split()})
        R = row["effective_rank"] / row["normalized_effective_rank"]
        put(path, row["matrix"], entropy=math.log(row["effective_rank"]) / math.log(R))
        put(path, row["matrix"], edge=row["noise_upper_edge"], spikes=row["num_outliers"])
        if not QUICK:
            fit = fit_power_law(singular_values(weights[row["matrix"] + ".weight"]))
            put(path, row["matrix"], alpha=fit.alpha, xmin=fit.xmin, D=fit.distance)
            put(path, row["matrix"], told=row["power_law_alpha"])
"""
_WATCHER = """
import logging, weightwatcher
from safetensors.torch import load_file
for path in sys.argv[1:]:
    watcher = weightwatcher.WeightWatcher(model=load_file(path), log_level=logging.ERROR)
    for row in watcher.analyze(mp_fit=True, savefig=False).to_dict("records"):
        own = "log_norm log_spectral_norm stable_rank entropy alpha xmin D"
        put(path, row["name"], **{name: row[name] for name in own.split()}, told=row["alpha"])
        put(path, row["name"], frobenius_norm=math.sqrt(row["norm"]),
            spectral_norm=math.sqrt(row["spectral_norm"]))
        put(path, row["name"], edge=math.sqrt(row["bulk_max"]), spikes=row["num_spikes"])
stop()
"""
_DIFFRACT = """
from diffract import Session
from safetensors.numpy import load_file
names = ["frob_norm", "l2_norm", "stable_rank", "effective_rank", "mp_sval_max", "tw_num_spikes"]
names += ["pl_alpha", "pl_esd_xmin", "pl_ks", "greater_dim"]
with Session(profile="ram") as session:
    for path in sys.argv[1:]:
        session.models.add(load_file(path), model_id=Path(path).stem)
    session.compute.apply(*names)
    for row in session.results.export_metrics(*names, export_format="list"):
        frobenius_norm, spectral_norm, stable, effective, edge, spikes, alpha, xmin, D, N = (
            float(row[name]) for name in names)
        put(row["model_id"], row["parameter_name"], frobenius_norm=frobenius_norm,
            spectral_norm=spectral_norm, stable_rank=stable, effective_rank=effective, edge=edge,
            spikes=spikes, alpha=alpha, told=alpha, xmin=xmin * N, D=D)
stop()
"""
_POWERLAW = """
import numpy, powerlaw, warnings
from safetensors.numpy import load_file
warnings.simplefilter("ignore")
given = {}
for path in sys.argv[1:]:
    for name, weight in load_file(path).items():
        if weight.ndim > 1:
            matrix = weight.reshape(len(weight), -1).astype(float)
            given[path, name] = numpy.linalg.svd(matrix, compute_uv=False) ** 2
started = time.perf_counter()
for key, eigenvalues in given.items():
    fit = powerlaw.Fit(eigenvalues, verbose=0, **OPTIONS)
    put(*key, alpha=fit.alpha, told=fit.alpha, xmin=fit.xmin, D=fit.D)
stop()
"""
HERE, HERE_QUICK = "here", "here, quick"
WATCHER, DIFFRACT = "weightwatcher", "diffract-core"
CAPPED, OPEN = "powerlaw", "powerlaw, any alpha"
_PACKAGE, _ANY = ("powerlaw==2.0.0", "safetensors"), "{'parameter_ranges': {'alpha': [1, None]}}"
TOOLS = (
    Tool(HERE, None, _HERE.replace("QUICK", "False")),
    Tool(HERE_QUICK, None, _HERE.replace("QUICK", "True")),
    Tool(WATCHER, ("weightwatcher==0.7.7", "torch==2.13.0", "safetensors"), _WATCHER),
    Tool(DIFFRACT, (PEER, "safetensors"), _DIFFRACT),
    Tool(CAPPED, _PACKAGE, _POWERLAW.replace("OPTIONS", "{}")),
    Tool(OPEN, _PACKAGE, _POWERLAW.replace("OPTIONS", _ANY)),
)


def main() -> None:
    """Print the three tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("build", "field_tools"))
    parser.add_argument(
        "--python", default=newer_python() or "python3.12", help="3.12 or later, for diffract-core"
    )
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    planted, paths = write_files(chosen.folder)
    found: dict[str, Values] = {}
    costs = {}
    for tool in TOOLS:
        python = chosen.python if tool.name == DIFFRACT else sys.executable
        if (there := _environment(tool, chosen.folder, python)) is not None:
            costs[tool.name], found[tool.name] = _run(tool, there, paths)
    weights = {
        f"{path.stem}:{name.removesuffix('.weight')}": weight.double().numpy()
        for path in paths
        for name, weight in load_file(path).items()
    }
    print(*_agreement(found, weights), "", sep="\n")
    print(*_truth(found, planted), "", sep="\n")
    print("| tool | matrices | seconds | MiB |\n|---|---|---|---|")
    for name, (seconds, peak) in costs.items():
        count = len(next(iter(found[name].values())))
        print(f"| {name} | {count} | {seconds:.1f} | {peak:.0f} |")


def _environment(tool: Tool, folder: Path, python: str) -> str | None:
    """Return the Python that has a tool, or None if it cannot be installed, which is told."""
    if tool.packages is None:
        return sys.executable
    place = folder / tool.packages[0].partition("==")[0]
    if not (place / "installed").exists():
        pip = [sys.executable, "-m", "pip", "--python", str(place), "install", *tool.packages]
        try:
            subprocess.run([python, "-m", "venv", "--without-pip", place], check=True)
            subprocess.run([*pip, "--quiet"], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            print(f"{tool.name} is left out, as it cannot be installed: {why}", file=sys.stderr)
            return None
        (place / "installed").touch()
    return str(place / "bin" / "python")


def _run(tool: Tool, python: str, paths: list[Path]) -> tuple[tuple[float, float], Values]:
    """Return seconds and peak memory in MiB, and what a tool found."""
    kept = {key: value for key, value in os.environ.items() if key not in NO_CORE_TYPE}
    program = [python, "-c", _COMMON + tool.program + _END, *map(str, paths)]
    done = subprocess.run(program, env=kept, check=True, stdout=subprocess.PIPE, text=True)
    (seconds, peak), found = json.loads(done.stdout.splitlines()[-1])
    return (seconds, peak), found


def _defined(tool: str, weight: Doubles) -> dict[str, float]:
    """Return what the definitions of a tool say of a weight."""
    matrix = weight.reshape(len(weight), -1)
    S = np.linalg.svd(matrix, compute_uv=False)
    edge = min(float(matrix.std()) * sum(map(math.sqrt, matrix.shape)), float(S[0]))
    if tool == WATCHER and weight.ndim == 4:  # pooled singular values of all positions
        S = np.linalg.svd(np.moveaxis(weight, (2, 3), (0, 1)), compute_uv=False).ravel() / 2**0.5
    x, p = np.sort(S**2), S / S.sum()
    q = x / x.sum()
    tail = x[x > 1e-5] if tool == WATCHER else x
    alpha, xmin, D = _clauset(tail, 3 if tool == CAPPED else math.inf)
    norms = {"frobenius_norm": math.sqrt(x.sum()), "spectral_norm": S.max()}
    logs = {"log_norm": math.log10(x.sum()), "log_spectral_norm": math.log10(x[-1])}
    ranks = {"stable_rank": 1 / q[-1], "effective_rank": math.exp(-(p * np.log(p)).sum())}
    ranks["entropy"] = -(q * np.log(q)).sum() / math.log(len(q))
    noise = {"edge": edge} if tool == DIFFRACT else {}
    return norms | logs | ranks | noise | {"alpha": alpha, "xmin": xmin, "D": D}


def _clauset(x: Doubles, most: float) -> tuple[float, float, float]:
    """Return alpha, xmin and distance of the best tail whose exponent is below `most`."""
    best = (math.inf, math.nan, math.nan)
    for start in range(len(x) - 1):
        tail = x[start:]
        alpha = 1 + len(tail) / np.log(tail / tail[0]).sum()
        law, share = 1 - (tail / tail[0]) ** (1 - alpha), np.arange(len(tail)) / len(tail)
        if alpha < most:
            best = min(best, (float(abs(law - share).max()), float(alpha), float(tail[0])))
    return best[1], best[2], best[0]


def _agreement(found: Mapping[str, Values], weights: Mapping[str, Doubles]) -> Iterator[str]:
    """Yield a row a quantity and tool: matrices and kernels apart, and what its definition leaves.

    Of each: how many are compared and equal, and the largest relative difference.
    """
    yield "| quantity | tool | matrices | off by | kernels | off by | by its definition, off by |"
    yield "|---" * 7 + "|"
    others = [name for name in found if name not in (HERE, HERE_QUICK)]
    defined = {
        tool: {name: _defined(tool, one) for name, one in weights.items()} for tool in others
    }
    for quantity, ours in found[HERE].items():
        for tool in (name for name in others if quantity in found[name] and quantity != "told"):
            theirs = found[tool][quantity]
            off = {name: _off(ours[name], value) for name, value in theirs.items()}
            cells = [quantity, tool]
            for some in ([off[name] for name in off if weights[name].ndim == n] for n in (2, 4)):
                equal = f"{sum(one < AGREES for one in some)} of {len(some)} equal"
                cells += [equal, f"{max(some):.1g}"] if some else ["", ""]
            known = {name: one[quantity] for name, one in defined[tool].items() if quantity in one}
            left = [_off(known[name], value) for name, value in theirs.items() if known]
            yield f"| {' | '.join([*cells, f'{max(left):.1g}' if left else ''])} |"


def _off(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-300)


def _truth(found: Mapping[str, Values], planted: Mapping[str, Planted]) -> Iterator[str]:
    """Yield a row for each thing that is known of the files."""
    tools = {name: values for name, values in found.items() if name != HERE_QUICK}
    yield f"| known | true | {' | '.join(tools)} |"
    yield "|---" * (2 + len(tools)) + "|"
    rows = [("strong directions", "spikes", file, "") for file in ("llama", "vgg", "noise")]
    rows += [("edge of noise", "edge", file, "1") for file in ("llama", "vgg", "noise")]
    rows += [("power law", "told", f"pareto:{alpha}", f"{alpha}") for alpha in EXPONENTS]
    for label, quantity, prefix, true in [*rows, ("power law", "told", "noise", "none")]:
        own = [name for name in planted if name.startswith(prefix)]
        cells = []
        for there in (values.get(quantity, {}) for values in tools.values()):
            pairs = [(there[name], planted[name]) for name in own if name in there]
            cells.append(_summary(quantity, pairs) if pairs else "")
        yield f"| {label}, {prefix} | {true} | {' | '.join(cells)} |"


def _summary(quantity: str, pairs: Sequence[tuple[float, Planted]]) -> str:
    """Return how many are right, the range over what is true, or the median, of those told."""
    if quantity == "spikes":
        return f"{sum(value == true.spikes for value, true in pairs)} of {len(pairs)} right"
    if quantity == "edge":
        ratios = [value / true.edge for value, true in pairs if not math.isnan(value)]
        return f"{min(ratios):.2f} to {max(ratios):.2f} ({len(ratios)} of {len(pairs)})"
    told = [value for value, _ in pairs if not math.isnan(value)]
    return f"{np.median(told):.2f} ({len(told)} of {len(pairs)})" if told else "none"


if __name__ == "__main__":
    main()
