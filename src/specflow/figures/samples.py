"""Samples of the full model and of what pruning leaves of it, side by side."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from specflow.figures.losses import nearest_to_half, variants_of
from specflow.figures.registry import figure
from specflow.figures.style import WIDTH
from specflow.figures.subjects import Subject
from specflow.frames import Tables

_GAP = 2  # pixels between images


@figure(
    "samples",
    title="Images made from the same noise",
    caption="Images at the same place of each panel begin as the same noise. Black and white are "
    "the least and the greatest value of training images, between which brightness is a mean over "
    "all pixels; an image that is not finite is white, and counts as none.",
)
def samples(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a square of images of each variant, of several fractions the one nearest to half."""
    rows = subject.rows(tables, "samples")
    shown = nearest_to_half(variants_of(rows))
    fig.set_figheight(0.7 + WIDTH / len(shown))
    for variant, axes in zip(shown, fig.subplots(1, len(shown), squeeze=False)[0], strict=True):
        own = variant.of(rows).sort_values("image")
        images = [_image(row) for _, row in own.iterrows()]
        image = _mosaic(images)
        # every pixel as it is; one channel is grey
        grey = image[..., 0] if image.shape[-1] == 1 else image
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.axis("off")
        finite = [one for one, text in zip(images, own["pixels"], strict=True) if text]
        brightness = f"brightness {np.mean(finite) / 255:.0%}" if finite else "none is finite"
        axes.set_title(f"{variant.label}\n{brightness}")


def _image(row: pd.Series) -> np.ndarray:
    """Return an image, of shape (H, W, C) uint8."""
    shape = row["height"], row["width"], row["channels"]
    if not row["pixels"]:
        return np.full(shape, 255, dtype=np.uint8)
    return np.frombuffer(bytes.fromhex(row["pixels"]), dtype=np.uint8).reshape(shape)


def _mosaic(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images of one shape (H, W, C) on white, in rows of a square as far as they go."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width, channels = images[0].shape
    down, right = height + _GAP, width + _GAP
    places = np.full((rows * columns, down, right, channels), 255, dtype=np.uint8)
    places[: len(images), :height, :width] = images
    mosaic = places.reshape(rows, columns, down, right, channels).swapaxes(1, 2)
    return mosaic.reshape(rows * down, columns * right, channels)[:-_GAP, :-_GAP]
