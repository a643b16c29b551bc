"""MNIST: the 60,000 handwritten digits to train on (LeCun et al. 1998), as IDX files."""

import gzip
import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow import paths
from specflow.datasets.images import ImageParams
from specflow.datasets.raw_files import RawFile, fetch, unpacking
from specflow.errors import SpecflowError

NUM_IMAGES = 60_000
SIZE = 28
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _file(name: str, size: int, sha256: str) -> RawFile:
    packed = name if name.endswith(".gz") else f"{name}.gz"
    return RawFile(name, size, sha256, tuple(mirror + packed for mirror in _MIRRORS))


IMAGES = _file(
    "train-images-idx3-ubyte.gz",
    9_912_422,
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
)
LABELS = _file(
    "train-labels-idx1-ubyte.gz",
    28_881,
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
)
UNPACKED_IMAGES = _file(
    "train-images-idx3-ubyte",
    47_040_016,
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
)
UNPACKED_LABELS = _file(
    "train-labels-idx1-ubyte",
    60_008,
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
)


class MnistParams(ImageParams):
    """The 60,000 training images of MNIST (LeCun et al. 1998), a seeded share to validate on."""

    kind: Literal["mnist"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    num_images: ClassVar[int] = NUM_IMAGES

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the digits, downloaded if they are not there."""
        images = read_idx(_fetched(IMAGES, UNPACKED_IMAGES), (NUM_IMAGES, SIZE, SIZE))
        labels = read_idx(_fetched(LABELS, UNPACKED_LABELS), (NUM_IMAGES,))
        return images[:, None], labels.astype(np.int64)


def _fetched(packed: RawFile, unpacked: RawFile) -> Path:
    """Return where the file lies; who puts it there by hand may have unpacked it."""
    lies_unpacked = (paths.raw_data() / unpacked.name).is_file()
    return fetch(unpacked if lies_unpacked else packed)


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read an array of bytes in the IDX format of the MNIST page, gzipped if it is named *.gz.

    It is two zeros, the type (8 for unsigned bytes), the number of dimensions, each dimension as
    four bytes, most significant first, and the entries in C order.

    Returns:
        Array of the given shape, uint8.

    Raises:
        SpecflowError: If the file cannot be read, is damaged, or has another type, shape or length.
    """
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, dtype=">u4").tobytes()
    length = len(header) + math.prod(shape)
    with unpacking(path), (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        content = file.read(length + 1)  # one byte more, to see that there is none
    if content[: len(header)] != header:
        raise SpecflowError(
            f"{path}: begins with {content[: len(header)].hex()}; expected {header.hex()}, the "
            f"header of an IDX file of bytes of shape {shape}"
        )
    if len(content) != length:
        found = "more" if len(content) > length else f"{len(content)}"
        raise SpecflowError(f"{path}: has {found} bytes; expected {length} for shape {shape}")
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)
