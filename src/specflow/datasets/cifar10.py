"""CIFAR-10: the 50,000 photographs to train on (Krizhevsky 2009), pickled batches in a tar."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow.datasets.images import ImageParams
from specflow.datasets.pickled_arrays import PickledArray, PickleError, read_pickle
from specflow.datasets.raw_files import RawFile, fetch, read_members
from specflow.errors import SpecflowError

ARCHIVE = RawFile(
    "cifar-10-python.tar.gz",
    170_498_071,
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
)
BATCH_SIZE = 10_000
CHANNELS = 3
SIZE = 32
_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6))
_PIXELS = CHANNELS * SIZE**2
_OTHER_BYTES_OF_AN_IMAGE = 256  # its class and its file name, generously


class Cifar10Params(ImageParams):
    """The 50,000 training images of CIFAR-10 (Krizhevsky 2009), a seeded share to validate on."""

    kind: Literal["cifar10"]
    image_size: Annotated[int, Field(ge=32)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    num_images: ClassVar[int] = 5 * BATCH_SIZE
    channels: ClassVar[int] = CHANNELS  # red, green and blue

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the photographs, downloaded if they are not there."""
        return read_archive(fetch(ARCHIVE))


def read_archive(path: Path, batch_size: int = BATCH_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Read the five training batches where they lie in the archive: nothing is extracted.

    Args:
        path: The archive; verify its checksum first.
        batch_size: Number of images that each batch must have.

    Returns:
        Images (5 * batch_size, 3, 32, 32) uint8 in the order of the batches, red, green, blue;
        their classes (5 * batch_size,) int64.

    Raises:
        SpecflowError: If the archive is damaged, or a batch is missing, is no plain file, is too
            large, or is anything but lists and arrays of the expected shape.
    """
    limit = batch_size * (_PIXELS + _OTHER_BYTES_OF_AN_IMAGE) + 4096
    pickles = {name[0]: content for name, content in read_members(path, "|".join(_BATCHES), limit)}
    if missing := sorted(set(_BATCHES) - set(pickles)):
        raise SpecflowError(f"{path}: has no {missing[0]}; expected five batches of images")
    batches = [_batch(pickles[name], f"{path}: {name}", batch_size) for name in _BATCHES]
    images, targets = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(targets)


def _batch(pickled: bytes, name: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        content = read_pickle(pickled)
        if not isinstance(content, Mapping):
            raise PickleError(f"is a {type(content).__name__}; expected a dict")
        images = _images(content.get(b"data"), batch_size)
        return images, _labels(content.get(b"labels"), batch_size)
    except PickleError as error:
        raise SpecflowError(f"{name}: {error}") from error


def _images(data: object, batch_size: int) -> np.ndarray:
    if not isinstance(data, PickledArray):
        raise PickleError(f"data is a {type(data).__name__}; expected an array")
    rows = data.as_bytes((batch_size, _PIXELS))
    return rows.reshape(batch_size, CHANNELS, SIZE, SIZE)


def _labels(labels: object, batch_size: int) -> np.ndarray:
    classes = range(10)
    if not isinstance(labels, list) or len(labels) != batch_size:
        raise PickleError(f"labels are no list of {batch_size} classes")
    if wrong := [label for label in labels if type(label) is not int or label not in classes]:
        raise PickleError(f"labels have {wrong[0]!r}; expected 0 to 9")
    return np.array(labels, dtype=np.int64)
