"""Files of measures filled with random numbers, in the layout that the stages write."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tests.quantities import ALWAYS
from tests.sealed import edited

from specflow import paths
from specflow.audit.findings import Audit, Changes, Flag
from specflow.checkpoints.trajectory import Checkpoint, Origin, write_trajectory
from specflow.hdf5 import create, write
from specflow.measure.layouts import PRUNING, SPECTRA

SHAPES = {"z.weight": (24, 30), "a/kernel": (12, 9)}  # in order of depth; the second in a group
PAIRS = ("z -> a/b", "a -> out")
AUDIT = Audit(
    steps=(0, 3, 6, 10),
    tensors=2,
    frozen=(),
    analysed=(),
    flags=(Flag(step=3, tensor="a", flag="non_finite", evidence='1 of 48, "all"'),),
    skipped={},
    notes=(),
    changes={
        "a": Changes(relative_change=(None, None, None, 0.5), cosine=(None, None, None, 0.25)),
        "b": Changes(relative_change=(None, 1.0, 2.0, 3.0), cosine=(None, 0.1, 0.2, 0.3)),
    },
)


def write_spectra(
    path: Path,
    seed: int = 0,
    steps: Sequence[int] = (0, 3, 6, 10),
    shapes: Mapping[str, tuple[int, int]] = SHAPES,
    pairs: Sequence[str] = PAIRS,
    quantities: Sequence[str] = ALWAYS,
) -> Path:
    """Spectra of made-up matrices; one number of each quantity is not defined."""
    rng, T = np.random.default_rng(seed), len(steps)
    with create(path, SPECTRA, {}) as file:
        write(file, "step", np.array(steps, dtype=np.int64))
        write(file, "epoch", np.array(steps) / 2)
        for depth, (name, (rows, columns)) in enumerate(shapes.items()):
            group = file.create_group(f"matrices/{name}")
            group.attrs.update(depth=depth, label=f"the {name}", role="conv", tensor=name)
            group.attrs.update(rows=rows, columns=columns, null_agreement=rng.uniform())
            R = min(rows, columns)
            write(group, "singular_values", np.sort(rng.uniform(size=(T, R)))[:, ::-1])
            write(group, "agreement", rng.uniform(size=(T, R)))
            write(group, "pairwise_agreement", rng.uniform(size=(T, T)))
            for score in ("agreement_score", "step_agreement_score"):
                write(group, score, rng.uniform(size=T))
            for quantity in quantities:
                values = rng.uniform(size=T)
                values[rng.integers(T)] = np.nan
                write(group, quantity, values)
        for depth, label in enumerate(pairs):
            group = file.create_group(f"pairs/{label}")
            group.attrs.update(depth=depth, null_alignment=rng.uniform())
            write(group, "alignment", rng.uniform(size=(T, 9)))
            write(group, "alignment_score", rng.uniform(size=T))
    return path


def write_pruning(path: Path, seed: int = 0) -> None:
    """Metrics of a run that was pruned at two steps; one of them has a baseline."""
    with create(path, PRUNING, {}) as file:
        write(file, "step", np.array([0, 4]))
        for keep in ("full/1.0", "top/0.25", "top/0.5", "bottom/0.25", "bottom/0.5"):
            for metric in ("train/loss", "train/loss_baseline"):
                write(file, f"{keep}/{metric}", np.array([3.0, 4.0 + seed]))


def change(path: Path, name: str, values: np.ndarray) -> None:
    """Put other numbers into a file."""
    with edited(path) as file:
        file[name][...] = values


def write_runs() -> None:
    """Two seeds of one experiment, kept at two steps; one metric has a baseline."""
    origin = Origin("", 0, 0, 0, 0.0, "", "cpu", "")
    for seed in (0, 1):
        write_spectra(paths.spectra("run", seed), seed, steps=(0, 4))
        metrics = {"validation/loss": 2.0 + seed, "train/loss": 1.0, "train/loss_baseline": 9.0}
        kept = [Checkpoint(step, {}, {}, metrics, None) for step in (0, 4)]
        write_trajectory(paths.trajectory("run", seed), origin, [0, 4], 2, kept)
        write_pruning(paths.pruning("run", seed), seed)
