"""Sections of samples, and their table: an image a row, small enough for git."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from specflow import paths
from specflow.errors import one_of
from specflow.hdf5 import open_file
from specflow.measure.layouts import SAMPLES
from specflow.section import Section
from specflow.studies.samples.settings import SampleSettings, Sampling
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import KEEPS, read

_IMAGE = ("samples", "experiment", "keep", "keep_fraction", "image")
_PIXELS = ("height", "width", "channels", "pixels")


class SampleParams(Study, Sampling):
    """Images that a generative experiment makes."""

    collects = Sampling

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of sample."""
        experiment = known.experiments[self.experiment]
        run, pruning = experiment.problem_settings(known), experiment.pruning
        return {"sample": SampleSettings(**dict(self), run=run, pruning=pruning)}

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the table of samples is made of."""
        return Sampling(**dict(self))

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit between the samples and their experiment."""
        experiment = known.experiments.get(self.experiment)
        if experiment is None:
            return known.unknown("experiment", self.experiment, "experiments")
        problems = []
        if not experiment.problem.is_generative:
            items = known.experiments.items()
            fitting = [key for key, other in items if other.problem.is_generative]
            problems.append(
                f"experiment: got {self.experiment!r}, whose problem {experiment.problem.kind} has "
                f"nothing to sample; {one_of(fitting)}"
            )
        if self.run_seed not in experiment.seeds:
            expected = f"expected one of {known.seeds(self.experiment)}"
            problems.append(f"run_seed: got {self.run_seed}; {expected}")
        return problems

    @staticmethod
    def tables(entries: Mapping[str, Sampling]) -> dict[str, pd.DataFrame]:
        """Return the table of all sets of samples.

        `pixels` are grey levels (one for each channel) of all pixels, row by row, as two
        hexadecimal digits from 00 for black to ff; an image with a value that is not finite has
        none.
        """
        rows = [row for name, own in entries.items() for row in _images(name, own.experiment)]
        return {"samples": pd.DataFrame(rows, columns=[*_IMAGE, *_PIXELS])}


def _images(name: str, experiment: str) -> Iterator[tuple[Any, ...]]:
    with open_file(paths.samples(name), SAMPLES) as file:
        low, high = read(file, "low"), read(file, "high")
        for keep in KEEPS:
            for fraction in file[keep]:
                about = (name, experiment, keep, float(fraction))
                images = np.moveaxis(read(file, f"{keep}/{fraction}"), 1, -1)
                for index, image in enumerate(images):
                    yield (*about, index, *image.shape, hexadecimal(image, low, high))


def hexadecimal(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return an image as levels of 8 bits.

    Args:
        image: Shape (H, W, C); beyond low and high it is cut off.
        low: Value of level 0 in each channel, shape (C,).
        high: Value of level 255 in each channel, shape (C,), above low.

    Returns:
        Two digits a level, row by row, the channels of a pixel side by side; nothing if a value is
        not finite.
    """
    if not np.isfinite(image).all():
        return ""
    levels = 255 * (np.clip(image, low, high) - low) / (high - low)
    return np.rint(levels).astype(np.uint8).tobytes().hex()
