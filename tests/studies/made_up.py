"""Files of measures filled with random numbers, in the layout that the stages write."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from specflow.hdf5 import create, write
from specflow.layouts import SPECTRA
from specflow.spectra import QUANTITIES

SHAPES = {"z.weight": (24, 30), "a/kernel": (12, 9)}  # in order of depth; the second in a group
PAIRS = ("z -> a/b", "a -> out")


def write_spectra(
    path: Path,
    seed: int = 0,
    steps: Sequence[int] = (0, 3, 6, 10),
    shapes: Mapping[str, tuple[int, int]] = SHAPES,
    pairs: Sequence[str] = PAIRS,
    epoch_steps: float = 2.0,
    length: int = 100,
) -> Path:
    """Spectra of made-up matrices; one number of each quantity is not defined."""
    rng, T = np.random.default_rng(seed), len(steps)
    with create(path, SPECTRA, {}) as file:
        write(file, "step", np.array(steps, dtype=np.int64))
        write(file, "epoch", np.array(steps) / epoch_steps)
        for depth, (name, (rows, columns)) in enumerate(shapes.items()):
            group = file.create_group(f"matrices/{name}")
            group.attrs.update(depth=depth, label=f"the {name}", role="conv", tensor=name)
            group.attrs.update(rows=rows, columns=columns, null_agreement=rng.uniform())
            R = min(rows, columns)
            write(group, "singular_values", np.sort(rng.uniform(size=(T, R)))[:, ::-1])
            write(group, "agreement", rng.uniform(size=(T, min(R, length))))
            write(group, "pairwise_agreement", rng.uniform(size=(T, T)))
            for score in ("agreement_score", "step_agreement_score"):
                write(group, score, rng.uniform(size=T))
            for quantity in QUANTITIES:
                values = rng.uniform(size=T)
                values[rng.integers(T)] = np.nan
                write(group, quantity, values)
        for depth, label in enumerate(pairs):
            group = file.create_group(f"pairs/{label}")
            group.attrs.update(depth=depth, null_alignment=rng.uniform())
            write(group, "alignment", rng.uniform(size=(T, 9)))
            write(group, "alignment_score", rng.uniform(size=T))
    return path


def change(path: Path, name: str, values: np.ndarray) -> None:
    """Put other numbers into a file."""
    with h5py.File(path, "a") as file:
        file[name][...] = values
