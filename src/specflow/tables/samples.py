"""Rows of the table of samples: an image a row, small enough for git."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from specflow import paths
from specflow.hdf5 import open_file
from specflow.layouts import SAMPLES
from specflow.params.resolve import CollectParams
from specflow.params.samples import SampleParams
from specflow.tables.runs import KEEPS, Row
from specflow.tables.writing import write_table

_IMAGE = ("samples", "experiment", "keep", "keep_fraction", "image")
_PIXELS = ("height", "width", "channels", "pixels")


def write_sample_table(folder: Path, params: CollectParams) -> None:
    """Write the table of all sets of samples.

    `pixels` are grey levels (one for each channel) of all pixels, row by row, as two hexadecimal
    digits from 00 for black to ff; an image with a value that is not finite has none.

    Args:
        folder: Where to.
        params: The sets of samples.
    """
    rows = (row for name, entry in params.samples.items() for row in _images(name, entry))
    write_table(folder / "samples.csv", (*_IMAGE, *_PIXELS), rows)


def _images(name: str, entry: SampleParams) -> Iterator[Row]:
    with open_file(paths.samples(name), SAMPLES) as file:
        low, high = file["low"][:], file["high"][:]
        for keep in KEEPS:
            for fraction, images in file[keep].items():
                about = (name, entry.experiment, keep, float(fraction))
                for index, image in enumerate(np.moveaxis(images[:], 1, -1)):
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
