import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import MNIST, idx, made, stand_in, valid

from specflow.datasets import mnist
from specflow.errors import SpecflowError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (70, 28, 28), dtype=np.uint8)
LABELS = GENERATOR.integers(0, 10, 70, dtype=np.uint8)


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes, packed: bool = True) -> Path:
        path = tmp_path / ("file-ubyte.gz" if packed else "file-ubyte")
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    return write


def test_header_is_that_of_the_published_files() -> None:
    # the first 16 bytes of train-images-idx3-ubyte, whose size is 47,040,016 bytes
    header = bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    empty = idx(np.zeros((60_000, 28, 28), dtype=np.uint8))
    assert empty[:16] == header
    assert len(empty) == mnist.UNPACKED_IMAGES.size
    assert len(idx(np.zeros(60_000, dtype=np.uint8))) == mnist.UNPACKED_LABELS.size


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with ; expected 00000803"),
        (idx(IMAGES)[:10], "begins with"),
        (idx(IMAGES)[:-1], r"has 54895 bytes; expected 54896"),
        (idx(IMAGES) + b"x", "has more bytes; expected 54896"),
        (idx(LABELS), r"begins with .*; expected 0000080300000046"),
        (idx(IMAGES[:5]), r"begins with 0000080300000005"),
        (idx(IMAGES.transpose(1, 0, 2)), "begins with"),
        (b"\0\0\x0d\x03" + idx(IMAGES)[4:], "begins with 00000d03"),  # floats
        # sizes that would be terabytes are not believed
        (b"\0\0\x08\x03" + b"\xff" * 12, "begins with 00000803ffff"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_other_contents_are_refused(write, content: bytes, message: str, packed: bool) -> None:
    with pytest.raises(SpecflowError, match=rf"file-ubyte.*: {message}"):
        mnist.read_idx(write(content, packed), (70, 28, 28))


def test_no_more_is_unpacked_than_expected(write) -> None:
    bomb = write(idx(IMAGES) + bytes(50_000_000))
    with pytest.raises(SpecflowError, match="has more bytes"):
        mnist.read_idx(bomb, (70, 28, 28))


@pytest.mark.parametrize("damage", ["truncated", "checksum", "body"])
def test_damaged_gzip_is_named(write, damage: str) -> None:
    path = write(idx(IMAGES))
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[:-200]
    else:
        content[-8 if damage == "checksum" else 300] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SpecflowError, match=r"file-ubyte\.gz: cannot be read"):
        mnist.read_idx(path, (70, 28, 28))


@pytest.fixture
def place(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a set of 70 images in the raw folder."""
    monkeypatch.setattr(mnist, "NUM_IMAGES", 70)

    def place(labels: np.ndarray, packed: bool) -> None:
        for name, content in (("IMAGES", idx(IMAGES)), ("LABELS", idx(labels))):
            if packed:
                stand_in(monkeypatch, mnist, name, gzip.compress(content))
            else:
                stand_in(monkeypatch, mnist, f"UNPACKED_{name}", content)

    return place


@pytest.mark.parametrize("packed", [True, False])
def test_files_put_there_by_hand_are_read(place, packed: bool) -> None:
    place(LABELS, packed)
    images, targets = valid(MNIST).read()
    np.testing.assert_array_equal(images[:, 0], IMAGES)
    np.testing.assert_array_equal(targets, LABELS)
    dataset = made(MNIST, Path())
    assert dataset.train["inputs"].shape == (10, 1, 32, 32)
    assert dataset.validation["targets"].shape == (60,)


def test_class_beyond_9_is_refused(place) -> None:
    place(LABELS + np.uint8(1), packed=False)
    with pytest.raises(SpecflowError, match="mnist: has class 10; expected 0 to 9"):
        made(MNIST, Path())
