"""Samples of the full model and of what pruning leaves of it, side by side."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures.losses import nearest_to_half, variants_of
from specflow.figures.style import WIDTH, new_figure
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Table, Tables

_GAP = 2  # pixels between images


def draw_samples(tables: Tables, samples: str, params: FiguresParams) -> Figure:
    """Draw a square of images of each variant; the same place is the same noise everywhere.

    Of several keep fractions the one nearest to one half is shown. An image that is not finite is
    left white.

    Args:
        tables: samples is read.
        samples: Which set.
        params: The figures section.

    Returns:
        The figure.
    """
    table = tables["samples"].where(samples=samples)
    shown = nearest_to_half(variants_of(table))
    figure = new_figure(height=0.55 + WIDTH / len(shown))
    for variant, axes in zip(shown, figure.subplots(1, len(shown), squeeze=False)[0], strict=True):
        rows = table.where(keep=variant.keep, keep_fraction=variant.keep_fraction)
        _show(axes, _mosaic(_images_of(rows)))
        axes.set_title(variant.label)
    figure.suptitle(f"Samples from the same noise: {samples}")
    return figure


def _images_of(table: Table) -> list[np.ndarray]:
    """Return the images in their order, each of shape (H, W, C) uint8."""
    order = np.argsort(table.numbers("image"))
    sizes = [table.numbers(name)[order].astype(int) for name in ("height", "width", "channels")]
    shapes = zip(*sizes, strict=True)
    pixels = table.column("pixels")[order].tolist()
    return [_image(digits, shape) for digits, shape in zip(pixels, shapes, strict=True)]


def _image(digits: str, shape: Sequence[int]) -> np.ndarray:
    if not digits:
        return np.full(shape, 255, dtype=np.uint8)
    return np.frombuffer(bytes.fromhex(digits), dtype=np.uint8).reshape(shape)


def _mosaic(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images of one shape (H, W, C) on white, in rows of a square as far as they go."""
    columns = math.ceil(math.sqrt(len(images)))
    height, width, channels = images[0].shape
    down, right = height + _GAP, width + _GAP
    rows = math.ceil(len(images) / columns)
    shape = (rows * down - _GAP, columns * right - _GAP, channels)
    mosaic = np.full(shape, 255, dtype=np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * down, place % columns * right
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def _show(axes: Axes, image: np.ndarray) -> None:
    # every pixel as it is; one channel is grey
    grey = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")
