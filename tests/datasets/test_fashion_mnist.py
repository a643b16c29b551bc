import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import FASHION_MNIST, MNIST, idx, made, stand_in, valid

from specflow.datasets import fashion_mnist, mnist

GENERATOR = np.random.default_rng(0)
CLOTHES, DIGITS = GENERATOR.integers(0, 256, (2, 70, 28, 28), dtype=np.uint8)
LABELS = GENERATOR.integers(0, 10, 70, dtype=np.uint8)


def test_files_are_read_beside_those_of_mnist_of_the_same_names(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, images in ((fashion_mnist, CLOTHES), (mnist, DIGITS)):
        monkeypatch.setattr(module, "NUM_IMAGES", 70)
        stand_in(monkeypatch, module, "IMAGES", gzip.compress(idx(images)))
        stand_in(monkeypatch, module, "LABELS", gzip.compress(idx(LABELS)))
    for section, expected in ((FASHION_MNIST, CLOTHES), (MNIST, DIGITS)):
        images, targets = valid(section).read()
        np.testing.assert_array_equal(images[:, 0], expected)
        np.testing.assert_array_equal(targets, LABELS)
    assert made(FASHION_MNIST, Path()).train["inputs"].shape == (10, 1, 32, 32)
