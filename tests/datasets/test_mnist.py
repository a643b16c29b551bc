import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from specflow import paths
from specflow.datasets import mnist
from specflow.datasets.download import RawFile
from specflow.datasets.mnist import MnistParams
from specflow.datasets.storage import load
from specflow.errors import SpecflowError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)
LABELS = np.array([5, 0, 4, 1, 9, 2, 1], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """The format as the MNIST page has it: magic number 0x0000080N, N big-endian sizes, entries."""
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return (0x0800 + array.ndim).to_bytes(4, "big") + sizes + array.tobytes()


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


@pytest.mark.parametrize("packed", [True, False])
def test_arrays_are_read(write, packed: bool) -> None:
    for array in (IMAGES, LABELS):
        found = mnist.read_idx(write(idx(array), packed), array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with ; expected 00000803"),
        (idx(IMAGES)[:10], "begins with"),
        (idx(IMAGES)[:-1], r"has 5503 bytes; expected 5504"),
        (idx(IMAGES) + b"x", "has more bytes; expected 5504"),
        (idx(LABELS), r"begins with .*; expected 0000080300000007"),
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
        mnist.read_idx(write(content, packed), (7, 28, 28))


def test_no_more_is_unpacked_than_expected(write) -> None:
    bomb = write(idx(IMAGES) + bytes(50_000_000))
    with pytest.raises(SpecflowError, match="has more bytes"):
        mnist.read_idx(bomb, (7, 28, 28))


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
        mnist.read_idx(path, (7, 28, 28))


@pytest.fixture
def small_set(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    """The whole set in the raw folder, in 300 images: its checksums are replaced."""
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (300, 28, 28), dtype=np.uint8)
    labels = generator.integers(0, 10, 300, dtype=np.uint8)
    paths.raw_data().mkdir(parents=True)
    contents = {"IMAGES": idx(images), "LABELS": idx(labels)}
    read_idx = mnist.read_idx
    monkeypatch.setattr(mnist, "read_idx", lambda path, shape: read_idx(path, (300, *shape[1:])))

    def put(packed: bool, more: int = 0) -> tuple[np.ndarray, np.ndarray]:
        contents["LABELS"] = idx(labels + np.uint8(more))
        for name, content in contents.items():
            file = getattr(mnist, name if packed else f"UNPACKED_{name}")
            stored = gzip.compress(content, mtime=0) if packed else content
            (paths.raw_data() / file.name).write_bytes(stored)
            digest = hashlib.sha256(stored).hexdigest()
            small = RawFile(file.name, len(stored), digest, file.urls)
            monkeypatch.setattr(mnist, name if packed else f"UNPACKED_{name}", small)
        return images, labels

    return put


PARAMS = MnistParams(kind="mnist", image_size=32, validation_fraction=0.001, seed=0)


@pytest.mark.parametrize("packed", [True, False])
def test_files_put_there_by_hand_are_prepared(small_set, packed: bool) -> None:
    images, labels = small_set(packed)
    PARAMS.prepare(Path("mnist.h5"))
    dataset = load(Path("mnist.h5"))
    assert PARAMS.num_validation == 60
    assert dataset.train["inputs"].shape == (240, 1, 32, 32)
    assert dataset.validation["inputs"].shape == (60, 1, 32, 32)
    expected = sorted(
        (int(image.sum()), int(label)) for image, label in zip(images, labels, strict=True)
    )
    found = []
    for part in (dataset.train, dataset.validation):
        inputs = part["inputs"].double()
        step = (dataset.train["inputs"].max() - dataset.train["inputs"].min()).double() / 255
        pixels = ((inputs - inputs.min()) / step).round().sum(dim=(1, 2, 3))
        found += zip(pixels.int().tolist(), part["targets"].tolist(), strict=True)
    assert sorted(found) == expected


def test_class_beyond_9_is_refused(small_set) -> None:
    small_set(packed=False, more=1)
    with pytest.raises(SpecflowError, match="labels-idx1-ubyte: has class 10; expected 0 to 9"):
        PARAMS.prepare(Path("mnist.h5"))


def test_wrong_file_put_there_by_hand_is_refused(small_set) -> None:
    small_set(True)
    path = paths.raw_data() / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(SpecflowError, match=r"train-labels-idx1-ubyte\.gz: SHA-256 is .*ossci"):
        PARAMS.prepare(Path("mnist.h5"))
    assert not Path("mnist.h5").exists()
