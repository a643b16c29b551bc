import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.datasets.builders import GLYPHS, made, valid

from specflow.datasets.glyphs import FONTS, LETTERS, read_letters, warped
from specflow.datasets.storage import Data


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return made(GLYPHS, tmp_path_factory.mktemp("glyphs"))


@pytest.fixture(scope="module")
def letters() -> torch.Tensor:
    return read_letters()


def pixels(**changes: object) -> np.ndarray:
    return valid(GLYPHS | changes).read()[0]


def naive_light(raster: np.ndarray, x: float, y: float) -> float:
    """Light between the middles of the pixels of a raster, bilinear, zero beyond them."""
    size = len(raster)
    column, row = ((place + 1) / 2 * size - 0.5 for place in (x, y))
    light = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            if 0 <= i < size and 0 <= j < size:
                light += (1 - abs(row - i)) * (1 - abs(column - j)) * raster[i, j]
    return light


def test_warped_is_the_mean_of_four_points_in_each_pixel_as_naive() -> None:
    generator = np.random.default_rng(0)
    rasters = generator.random((3, 7, 7), dtype=np.float32)
    maps = generator.normal(size=(3, 2, 3))
    found = warped(torch.from_numpy(rasters), maps, 5)
    assert (found.dtype, found.shape) == (np.float32, (3, 5, 5))
    for raster, matrix, image in zip(rasters, maps, found, strict=True):
        for row, column in np.ndindex(5, 5):
            corners = [(-1 + (2 * row + a + 0.5) / 5, -1 + (2 * column + b + 0.5) / 5)
                       for a in (0, 1) for b in (0, 1)]  # fmt: skip
            points = [matrix @ (x, y, 1.0) for y, x in corners]
            expected = np.mean([naive_light(raster, *point) for point in points])
            assert image[row, column] == pytest.approx(expected, abs=1e-5)


def test_letters_of_every_font_are_in_the_middle_and_as_large_as_fits(letters) -> None:
    assert letters.shape[:2] == (26, len(FONTS))
    assert (letters >= 0).all()
    assert (letters <= 1).all()
    for raster in letters.flatten(0, 1):
        rows, columns = (torch.nonzero(raster.amax(axis) > 0.05).flatten() for axis in (1, 0))
        assert max(rows[-1] - rows[0], columns[-1] - columns[0]) >= 61
        for filled in (rows, columns):
            assert abs(int(filled[0] + filled[-1]) - 63) <= 2


def test_capitals_of_every_font_are_those_letters(letters) -> None:
    """A font whose capitals were something else would be unlike all others, letter by letter."""
    flat = letters.flatten(2)
    for font, name in enumerate(FONTS):
        others = torch.cat([flat[:, :font], flat[:, font + 1 :]], dim=1)
        distance = torch.cdist(flat[:, font], others.flatten(0, 1)).unflatten(1, (26, -1))
        found = distance.amin(2).argmin(1)
        assert (found == torch.arange(26)).sum() >= 22, name


def test_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path: Path, prepared) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        assert made(GLYPHS, tmp_path).fingerprint == prepared.fingerprint
    finally:
        torch.set_num_threads(before)


def test_other_seed_gives_other_images(prepared) -> None:
    assert (pixels() != pixels(seed=1)).any(axis=(1, 2, 3)).all()


def test_prepared_parts_have_the_sizes_of_the_params_and_equal_classes(prepared) -> None:
    for part, count in ((prepared.train, 780), (prepared.validation, 260)):
        assert part["inputs"].shape == (count, 1, 28, 28)
        assert (part["inputs"].dtype, part["targets"].dtype) == (torch.float32, torch.int64)
        assert part["inputs"].isfinite().all()
    both = torch.cat([prepared.train["targets"], prepared.validation["targets"]])
    assert both.bincount().tolist() == [40] * 26
    assert valid(GLYPHS | {"num_images": 30}).read()[1].tolist() == [*range(26), *range(4)]


def test_no_image_is_in_both_parts_or_twice() -> None:
    images = pixels(noise=0.0, clutter=0).reshape(1040, -1)
    assert len(np.unique(images, axis=0)) == 1040


def test_letters_are_told_apart_but_not_by_their_mean_images_alone(prepared) -> None:
    train, targets = prepared.train["inputs"].flatten(1), prepared.train["targets"]
    means = torch.stack([train[targets == letter].mean(0) for letter in range(26)])
    found = torch.cdist(prepared.validation["inputs"].flatten(1), means).argmin(1)
    right = found == prepared.validation["targets"]
    assert 0.2 < right.double().mean() < 0.9  # chance is 0.04
    for letter in range(26):  # the images of a letter are nearer to its mean than to most others
        own = torch.cdist(train[targets == letter], means)
        assert (own.argsort(1).argsort(1)[:, letter]).double().mean() < 6, LETTERS[letter]


def test_clutter_and_noise_add_light_that_is_as_strong_as_they_say() -> None:
    clean, cluttered, noisy = (
        pixels(clutter=c, noise=n, num_images=200) / 255 for c, n in ((0, 0.0), (3, 0.0), (0, 0.2))
    )
    assert (cluttered >= clean).all()  # the letters of a batch are drawn before all else
    assert cluttered.mean() > 1.2 * clean.mean()
    dark = clean.max(axis=0, initial=0) == 0  # pixels that no letter reaches
    assert noisy[:, dark].mean() == pytest.approx(0.2 / math.sqrt(2 * math.pi), rel=0.05)
    assert (noisy[:, dark] > 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("size", [8, 31, 48])
def test_images_of_any_size_are_made(size: int) -> None:
    images = pixels(image_size=size, num_images=26)
    assert (images.shape, images.dtype) == ((26, 1, size, size), np.uint8)
    assert (images.max(axis=(1, 2, 3)) > 100).all()


def test_permuted_labels_change_those_of_training_alone(tmp_path: Path, prepared) -> None:
    permuted = made(GLYPHS | {"permuted_labels": True}, tmp_path)
    assert permuted.train["inputs"].equal(prepared.train["inputs"])
    assert permuted.validation["targets"].equal(prepared.validation["targets"])
    assert permuted.train["targets"].bincount().equal(prepared.train["targets"].bincount())
    assert (permuted.train["targets"] == prepared.train["targets"]).double().mean() < 0.1


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("image_size", 7, "greater than or equal to 8"),
        ("num_images", 25, "greater than or equal to 26"),
        ("clutter", -1, "greater than or equal to 0"),
        ("clutter", 21, "less than or equal to 20"),
        ("clutter", 0.5, "valid integer"),
        ("noise", -0.1, "greater than or equal to 0"),
        ("noise", 1.5, "less than or equal to 1"),
        ("validation_fraction", 1.0, "less than 1"),
        ("validation_fraction", 0.0004, "0.0004 of 1040 images are 0; expected some in both"),
        ("validation_fraction", 0.9999, "of 1040 images are 1040"),
    ],
)
def test_values_out_of_range_are_refused(key: str, value: float, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        valid(GLYPHS | {key: value})
