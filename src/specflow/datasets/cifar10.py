"""CIFAR-10: the 50,000 photographs to train on (Krizhevsky 2009), in their binary version."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow.datasets.images import ImageParams
from specflow.datasets.raw_files import RawFile, fetch, read_members
from specflow.errors import SpecflowError

ARCHIVE = RawFile(
    "cifar-10-binary.tar.gz",
    170_052_171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
)
BATCH_SIZE = 10_000
CHANNELS = 3
SIZE = 32
_RECORD = 1 + CHANNELS * SIZE**2  # bytes: the class, then the planes of red, green and blue
_BATCHES = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))


class Cifar10Params(ImageParams):
    """The 50,000 training images of CIFAR-10 (Krizhevsky 2009), a seeded share to validate on."""

    kind: Literal["cifar10"]
    image_size: Annotated[int, Field(ge=32)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    num_images: ClassVar[int] = 5 * BATCH_SIZE
    channels: ClassVar[int] = CHANNELS

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the photographs in the order of the batches, downloaded if they are not there.

        Raises:
            SpecflowError: If the archive cannot be had or read, or a batch is missing or has
                another size.
        """
        path = fetch(ARCHIVE)
        size = BATCH_SIZE * _RECORD
        found = {name[0]: batch for name, batch in read_members(path, "|".join(_BATCHES), size)}
        for name in _BATCHES:
            if name not in found:
                raise SpecflowError(f"{path}: has no {name}; expected five batches of images")
            if len(found[name]) != size:
                raise SpecflowError(f"{path}: {name} has {len(found[name])} bytes; expected {size}")
        joined = b"".join(found[name] for name in _BATCHES)
        records = np.frombuffer(joined, np.uint8).reshape(-1, _RECORD)
        images = records[:, 1:].reshape(-1, CHANNELS, SIZE, SIZE)
        return images, records[:, 0].astype(np.int64)
