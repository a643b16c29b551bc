from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import CIFAR10, made, stand_in, tar_gz, valid

from specflow.datasets import cifar10
from specflow.errors import SpecflowError

SIZE = 4  # images in a batch
GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (5, SIZE, 3072), dtype=np.uint8)
LABELS = GENERATOR.integers(0, 10, (5, SIZE, 1), dtype=np.uint8)
FOLDER = "cifar-10-batches-bin"


def members(**changes: bytes | None) -> dict[str, bytes]:
    """Batches as the page of CIFAR-10 has them: a class and 3072 pixels, image after image."""
    records = np.concatenate([LABELS, PIXELS], axis=2)
    batches = {f"data_batch_{number}": batch.tobytes() for number, batch in enumerate(records, 1)}
    files = {f"{FOLDER}/{name}.bin": batch for name, batch in (batches | changes).items() if batch}
    others = {"readme.html": b"<html>", "batches.meta.txt": b"airplane", "test_batch.bin": b"no"}
    return files | {f"{FOLDER}/{name}": content for name, content in others.items()}


@pytest.fixture
def place(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts an archive of small batches in the raw folder."""
    monkeypatch.setattr(cifar10, "BATCH_SIZE", SIZE)
    return lambda contents: stand_in(monkeypatch, cifar10, "ARCHIVE", tar_gz(contents))


def test_published_batches_have_30730000_bytes() -> None:
    assert cifar10.BATCH_SIZE * cifar10._RECORD == 30_730_000


def test_images_and_labels_are_read_in_the_order_of_batches(place) -> None:
    for contents in (members(), dict(sorted(members().items(), reverse=True))):
        place(contents)
        images, targets = valid(CIFAR10).read()
        assert images.shape == (5 * SIZE, 3, 32, 32)
        np.testing.assert_array_equal(images.reshape(5, SIZE, 3072), PIXELS)
        assert targets.dtype == np.int64
        np.testing.assert_array_equal(targets, LABELS.ravel())


def test_channels_are_planes_and_rows_run_from_the_top(place) -> None:
    place(members())
    images, _ = valid(CIFAR10).read()
    # "The first 1024 bytes are the red channel values, the next 1024 the green, and the final 1024
    # the blue. The values are stored in row-major order" (the page of CIFAR-10)
    assert images[SIZE + 1, 2, 5, 7] == PIXELS[1, 1, 2 * 1024 + 5 * 32 + 7]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (None, "has no cifar-10-batches-bin/data_batch_4.bin; expected"),
        (bytes(12_291), "data_batch_4.bin has 12291 bytes; expected 12292"),
        (bytes(12_293), "data_batch_4.bin has 12293 bytes; expected at most 12292"),
    ],
)
def test_missing_and_wrong_batches_are_named(place, batch: bytes | None, message: str) -> None:
    place(members(data_batch_4=batch))
    with pytest.raises(SpecflowError, match=rf"cifar-10-binary\.tar\.gz: .*{message}"):
        valid(CIFAR10).read()


def test_archive_put_there_by_hand_is_prepared(place) -> None:
    path = place(members())
    dataset = made(CIFAR10 | {"validation_fraction": 0.0001}, Path())
    assert dataset.train["inputs"].shape == (15, 3, 34, 34)
    assert dataset.validation["inputs"].shape == (5, 3, 34, 34)
    labels = [*dataset.train["targets"].tolist(), *dataset.validation["targets"].tolist()]
    assert sorted(labels) == sorted(LABELS.ravel())
    assert list(path.parent.iterdir()) == [path]
