"""Images and their classes: split, padding, standardization, random labels."""

import operator
from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from specflow.datasets.dataset import DatasetSection
from specflow.datasets.shapes import ImageShape
from specflow.datasets.storage import DatasetWriter, Split
from specflow.errors import SpecflowError
from specflow.section import Seed

Parts = tuple[np.ndarray, np.ndarray]
_PIECE = 5000  # images that are padded and scaled at a time
_LABEL_STREAM = 1  # random numbers of their own: the split is that of the true labels


class ImageParams(DatasetSection):
    """Square images of a few classes, a seeded share to validate on.

    Attributes:
        num_images: Number of images.
        num_classes: Number of classes.
        channels: Number of their channels.
        image_size: Pixels of a side, to which images are padded with zeros.
        validation_fraction: Share of images to validate on.
        seed: Of the split, and of the order of both parts.
        permuted_labels: Random labels (paper, section on random labels): those of the training
            part change places among each other, once; validation keeps the true ones. Unset it is
            left out of the resolved config.
    """

    num_images: ClassVar[int]
    num_classes: ClassVar[int] = 10
    channels: ClassVar[int] = 1
    image_size: int
    validation_fraction: float
    seed: Seed
    permuted_labels: Annotated[bool, Field(exclude_if=operator.not_)] = False

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return round(self.num_images * self.validation_fraction)

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return self.num_images - self.num_validation

    @property
    def shape(self) -> ImageShape:
        """Shape of a sample."""
        return ImageShape(
            channels=self.channels, size=self.image_size, num_classes=self.num_classes
        )

    @abstractmethod
    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images (N, C, s, s) uint8, s at most `image_size`, and classes (N,) int64.

        Raises:
            SpecflowError: If the source cannot be had, or is not the expected one.
        """

    def split(self, targets: np.ndarray) -> Parts:
        """Return the indices of the training and of the validation images, in random order."""
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(targets))
        return order[self.num_validation :], order[: self.num_validation]

    def write(self, writer: DatasetWriter) -> None:
        """Write the images as `write_images` says.

        Raises:
            SpecflowError: As `read`; or if there is another class than there should be.
        """
        images, targets = self.read()
        if targets.max() >= self.num_classes:
            last = self.num_classes - 1
            raise SpecflowError(f"{self.kind}: has class {targets.max()}; expected 0 to {last}")
        write_images(self, writer, images, targets, self.split(targets))


def write_images(
    params: ImageParams,
    writer: DatasetWriter,
    images: np.ndarray,
    targets: np.ndarray,
    parts: Parts,
) -> None:
    """Write images, padded with black and standardized, with their classes.

    `inputs` (N, C, S, S) float32 are (x - mean) / std, with the mean and standard deviation of
    all pixels of a channel of the padded training images; `targets` (N,) int64 are the classes.
    With `permuted_labels`, those of the training part have changed places among each other.

    Args:
        params: The image size S, and what becomes of the labels.
        writer: Takes the arrays.
        images: Shape (N, C, s, s) uint8, s at most S.
        targets: Shape (N,) int64.
        parts: Indices of the training and of the validation images, in the order to be written.
    """
    train, validation = parts
    labels = targets[train]
    if params.permuted_labels:
        generator = np.random.Generator(np.random.PCG64([params.seed, _LABEL_STREAM]))
        labels = generator.permutation(labels)
    levels = _standardized_levels(images, train, params.image_size)
    channels = np.arange(len(levels))[:, None, None]
    written: dict[Split, Parts] = {
        "train": (train, labels),
        "validation": (validation, targets[validation]),
    }
    for split, (indices, classes) in written.items():
        for piece in _pieces(images, indices, params.image_size):
            writer.append(split, "inputs", levels[channels, piece])
        writer.append(split, "targets", classes)


def _pieces(images: np.ndarray, indices: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the images of these indices, padded on all sides, some at a time."""
    missing = size - images.shape[-1]
    margin = (missing // 2, missing - missing // 2)
    for start in range(0, len(indices), _PIECE):
        piece = images[indices[start : start + _PIECE]]
        yield np.pad(piece, ((0, 0), (0, 0), margin, margin))


def _standardized_levels(images: np.ndarray, indices: np.ndarray, size: int) -> np.ndarray:
    """Return what each of the 256 levels of each channel becomes, (C, 256) float32.

    Sums over levels are exact integers, so the result does not depend on the processor.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for piece in _pieces(images, indices, size):
        for channel, total in enumerate(counts):
            total += np.bincount(piece[:, channel].ravel(), minlength=256)
    return np.stack([_standardized(total) for total in counts])


def _standardized(counts: np.ndarray) -> np.ndarray:
    levels, number = np.arange(256), int(counts.sum())
    mean = int(counts @ levels) / number
    variance = int(counts @ levels**2) / number - mean**2
    return ((levels - mean) / np.sqrt(variance)).astype(np.float32)
