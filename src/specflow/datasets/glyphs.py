"""Glyphs: letters in the fonts that come with matplotlib, distorted, among pieces of others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from specflow.datasets.dataset import package_folder
from specflow.datasets.images import ImageParams
from specflow.section import Fraction
from specflow.threads import one_thread

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# All but those without capitals (displays, STIX symbols), or whose capitals are operators (cmex10),
# script (cmsy10) or frames with one letter in all of them (LastResort).
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
_RASTER = 64  # pixels of a side of an undistorted letter
_DRAWN = 256  # size of the font that it is drawn in, in pixels
_SMALLEST, _LARGEST = 0.55, 0.8  # of the image's side
_ROTATION, _SHEAR, _SHIFT = 0.25, 0.25, 0.1  # radians, tangent, share of the side; at most
_PIECE, _PIECE_LIGHT = 0.4, 0.5  # of the image's side: what is shown of another letter; of light
_FINENESS = 2  # points a side in a pixel whose mean is its light
_BATCH = 256  # images that are drawn at a time
_STREAM = 2  # random numbers of their own, beside those of the split and of random labels


class GlyphsParams(ImageParams):
    """Capital letters in 22 fonts, each image distorted in its own way: 26 equal classes.

    An image is a letter, rotated, sheared, scaled and shifted at random, with square pieces of
    other letters, half as bright, at random places, and normal noise.

    Attributes:
        num_images: Number of images; of each letter as many, or one more.
        clutter: Pieces of other letters in an image.
        noise: Standard deviation of the noise on every pixel, of full light.
    """

    kind: Literal["glyphs"]
    image_size: Annotated[int, Field(ge=8)]
    validation_fraction: Fraction
    num_images: Annotated[int, Field(ge=26)]  # type: ignore[misc]  # a setting here
    clutter: Annotated[int, Field(ge=0, le=20)]
    noise: Annotated[float, Field(ge=0, le=1)]
    num_classes: ClassVar[int] = len(LETTERS)

    @model_validator(mode="after")
    def _no_part_is_empty(self) -> "GlyphsParams":
        if not 0 < self.num_validation < self.num_images:
            raise ValueError(
                f"validation_fraction = {self.validation_fraction} of {self.num_images} images are "
                f"{self.num_validation}; expected some in both parts"
            )
        return self

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images made from the seed, and which letter each shows."""
        rasters = read_letters()
        letters = np.arange(self.num_images) % len(LETTERS)
        generator = np.random.Generator(np.random.PCG64([self.seed, _STREAM]))
        with one_thread():
            batches = [
                self._drawn(rasters, letters[start : start + _BATCH], generator)
                for start in range(0, self.num_images, _BATCH)
            ]
        return np.concatenate(batches)[:, None], letters

    def _drawn(
        self, rasters: Tensor, letters: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """Return an image of each letter, (B, S, S) uint8."""
        size, count = self.image_size, len(letters)
        light = warped(*_distorted(rasters, letters, generator), size)
        side = round(_PIECE * size)
        rows, samples = np.arange(side), np.arange(count)[:, None, None]
        for _ in range(self.clutter):
            others = (letters + generator.integers(1, len(LETTERS), count)) % len(LETTERS)
            chosen, maps = _distorted(rasters, others, generator)
            maps[:, :, :2] *= side / size  # the middle alone
            top, left = generator.integers(size - side + 1, size=(2, count, 1, 1))
            place = (samples, top + rows[:, None], left + rows)
            light[place] = np.maximum(light[place], _PIECE_LIGHT * warped(chosen, maps, side))
        light += self.noise * generator.standard_normal(light.shape, dtype=np.float32)
        return np.rint(255 * light.clip(0, 1)).astype(np.uint8)


def _distorted(
    rasters: Tensor, letters: np.ndarray, generator: np.random.Generator
) -> tuple[Tensor, np.ndarray]:
    """Return each letter in some font (B, R, R), and the map (B, 2, 3) that distorts it.

    It leads from places (x, y, 1) in the image to places in the raster, both from -1 to 1.
    """
    count = len(letters)
    fonts = generator.integers(len(FONTS), size=count)
    extent = generator.uniform(_SMALLEST, _LARGEST, count)
    turn, shear = generator.uniform(-1, 1, (2, count)) * [[_ROTATION], [_SHEAR]]
    shift = generator.uniform(-2 * _SHIFT, 2 * _SHIFT, (count, 2, 1))  # a side is 2 long
    matrix = np.array([[np.cos(turn), shear - np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / extent
    matrix = np.moveaxis(matrix, -1, 0)
    return rasters[letters, fonts], np.concatenate([matrix, -matrix @ shift], axis=2)


def warped(rasters: Tensor, maps: np.ndarray, size: int) -> np.ndarray:
    """Return what images of `size` pixels a side show of rasters; beyond these it is dark.

    Args:
        rasters: Shape (B, R, R), in [0, 1].
        maps: Shape (B, 2, 3), from places (x, y, 1) in the image, x to the right and y down, to
            places in the raster; -1 and 1 are the outer edges of both.
        size: Pixels of a side.

    Returns:
        Shape (B, size, size), float32 in [0, 1].
    """
    fine = [len(rasters), 1, _FINENESS * size, _FINENESS * size]
    grid = functional.affine_grid(torch.from_numpy(maps).float(), fine, align_corners=False)
    light = functional.grid_sample(rasters[:, None], grid, align_corners=False)
    return functional.avg_pool2d(light, _FINENESS)[:, 0].numpy()


def read_letters() -> Tensor:
    """Return every letter in every font, (letters, fonts, R, R) in [0, 1], as large as it fits."""
    folder = package_folder("matplotlib", extra="pipeline") / "mpl-data" / "fonts" / "ttf"
    fonts = [torch.cat(list(_letters_of(folder / f"{font}.ttf"))) for font in FONTS]
    return torch.stack(fonts, dim=1)


def _letters_of(path: Path) -> Iterator[Tensor]:
    """Yield the letters in a font, (1, R, R) each: in the middle, and touching two edges."""
    from matplotlib.ft2font import FT2Font  # here, since it loads slowly

    font = FT2Font(str(path))
    font.set_size(_DRAWN, 72)
    for letter in LETTERS:
        font.set_text(letter)
        font.draw_glyphs_to_bitmap(antialiased=True)
        drawn = np.asarray(font.get_image()) / np.float32(255)
        (top, left), (bottom, right) = (
            edge(np.argwhere(drawn), axis=0) for edge in (np.min, np.max)
        )
        cut = drawn[top : bottom + 1, left : right + 1]
        margins = [divmod(max(cut.shape) - length, 2) for length in cut.shape]
        square = np.pad(cut, [(half, half + odd) for half, odd in margins])
        yield functional.interpolate(
            torch.from_numpy(square)[None, None], _RASTER, mode="bilinear", antialias=True
        )[0].clamp(0, 1)
