"""Glyphs: letters in the fonts that come with matplotlib, distorted, among pieces of others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow.datasets.dataset import package_folder
from specflow.datasets.images import ImageParams
from specflow.section import Count

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FONTS = (
    *(f"DejaVu{family}" for family in ("Sans", "SansMono", "Serif")),
    *(f"DejaVu{family}-Bold" for family in ("Sans", "SansMono", "Serif")),
    *("DejaVuSans-Oblique", "DejaVuSansMono-Oblique", "DejaVuSerif-Italic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmss10", "cmtt10", "cmb10"),
)
_RASTER = 64  # pixels of a side of an undistorted letter
_SMALLEST, _LARGEST = 0.55, 0.8  # of the image's side
_ROTATION, _SHEAR, _SHIFT = 0.25, 0.25, 0.1  # radians, tangent, share of the side; at most
_PIECE = 0.4  # of the image's side: what is shown of another letter


class GlyphsParams(ImageParams):
    """Capital letters in seventeen fonts, each image distorted in its own way.

    Attributes:
        num_images: Number of images.
        clutter: Pieces of other letters in an image.
        noise: Standard deviation of the noise on every pixel, of full light.
    """

    kind: Literal["glyphs"]
    image_size: Annotated[int, Field(ge=8)]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    num_images: Count  # type: ignore[misc]  # a setting here
    clutter: Annotated[int, Field(ge=0)]
    noise: Annotated[float, Field(ge=0)]
    num_classes: ClassVar[int] = len(LETTERS)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images made from the seed, and which letter each shows."""
        rasters = read_letters()
        images, letters = [], []
        for number in range(self.num_images):
            generator = np.random.default_rng([self.seed, number])
            letter, *others = generator.integers(len(LETTERS), size=1 + self.clutter).tolist()
            image = self._drawn(rasters, letter, generator)
            for other in others:
                self._add_piece(image, self._drawn(rasters, other, generator), generator)
            image += generator.normal(0, self.noise, image.shape)
            images.append(np.rint(255 * image.clip(0, 1)).astype(np.uint8))
            letters.append(letter)
        return np.stack(images)[:, None], np.array(letters)

    def _drawn(
        self, rasters: np.ndarray, letter: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return a letter in some font, distorted by an affine map, (S, S) in [0, 1]."""
        raster = rasters[letter, generator.integers(len(FONTS))]
        height = generator.uniform(_SMALLEST, _LARGEST) * self.image_size
        turn, shear = generator.uniform(-1, 1, 2) * (_ROTATION, _SHEAR)
        shift = generator.uniform(-_SHIFT, _SHIFT, 2) * self.image_size
        grid = np.arange(self.image_size) - (self.image_size - 1) / 2
        y, x = grid[:, None] - shift[0], grid[None, :] - shift[1]
        scale, middle = _RASTER / height, (_RASTER - 1) / 2
        rows = middle + scale * (y * np.cos(turn) + x * np.sin(turn))
        columns = middle + scale * (x * np.cos(turn) - y * np.sin(turn) + shear * y)
        return bilinear(raster, rows, columns)

    def _add_piece(
        self, image: np.ndarray, other: np.ndarray, generator: np.random.Generator
    ) -> None:
        """Lay a square of another letter's middle somewhere over an image, at half its light."""
        side = round(_PIECE * self.image_size)
        start = (self.image_size - side) // 2
        piece = 0.5 * other[start : start + side, start : start + side]
        top, left = generator.integers(self.image_size - side + 1, size=2)
        part = image[top : top + side, left : left + side]
        np.maximum(part, piece, out=part)


def bilinear(raster: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the light at points between the pixels of a raster, 0 outside.

    Args:
        raster: Shape (H, W).
        rows: First coordinates of the points, any shape.
        columns: Second ones, of the same shape.
    """
    padded = np.pad(raster, 1)
    row, column = (
        np.clip(at + 1, 0, size - 1.001)
        for at, size in ((rows, padded.shape[0]), (columns, padded.shape[1]))
    )
    y, x = row.astype(int), column.astype(int)
    down, right = row - y, column - x
    upper = padded[y, x] * (1 - right) + padded[y, x + 1] * right
    lower = padded[y + 1, x] * (1 - right) + padded[y + 1, x + 1] * right
    return upper * (1 - down) + lower * down


def read_letters() -> np.ndarray:
    """Return every letter in every font, (letters, fonts, 64, 64) in [0, 1], in the middle."""
    folder = package_folder("matplotlib", extra="pipeline") / "mpl-data" / "fonts" / "ttf"
    rasters = [list(_letters_of(folder / f"{font}.ttf")) for font in FONTS]
    return np.array(rasters).swapaxes(0, 1)


def _letters_of(path: Path) -> Iterator[np.ndarray]:
    """Yield the letters in one font, the larger of height and width as large as the raster."""
    from matplotlib.ft2font import FT2Font  # here, since it loads slowly

    font = FT2Font(str(path))
    font.set_size(_RASTER, 72)
    for letter in LETTERS:
        font.set_text(letter)
        font.draw_glyphs_to_bitmap(antialiased=True)
        found = np.asarray(font.get_image()) / 255.0
        filled = np.argwhere(found)
        (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0) + 1
        found = found[top:bottom, left:right]
        side = max(found.shape)
        at = (np.arange(_RASTER) + 0.5) / _RASTER * side - 0.5
        height, width = found.shape
        yield bilinear(
            found,
            at[:, None] - (side - height) / 2 + 0 * at[None, :],
            at[None, :] - (side - width) / 2 + 0 * at[:, None],
        )
