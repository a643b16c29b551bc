"""Images and their classes: split, padding, standardization, random labels."""

from collections.abc import Iterator

import numpy as np

from specflow.datasets.storage import DatasetWriter, Split
from specflow.params.datasets import ImageDatasetParams

_PIECE = 5000  # images that are padded and scaled at a time
_LABEL_STREAM = 1  # random numbers of their own: the split is that of the true labels


def write_images(
    params: ImageDatasetParams,
    writer: DatasetWriter,
    images: np.ndarray,
    targets: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
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
    _append(writer, "train", _pieces(images, train, params.image_size), levels)
    writer.append("train", "targets", labels)
    _append(writer, "validation", _pieces(images, validation, params.image_size), levels)
    writer.append("validation", "targets", targets[validation])


def write_random_split(
    params: ImageDatasetParams, writer: DatasetWriter, images: np.ndarray, targets: np.ndarray
) -> None:
    """Write images as `write_images` does, split at random; both parts in random order.

    Args:
        params: The image size, how the images are split, and what becomes of the labels.
        writer: Takes the arrays.
        images: Shape (N, C, s, s) uint8.
        targets: Shape (N,) int64.
    """
    parts = random_split(len(images), params.num_validation, params.seed)
    write_images(params, writer, images, targets, parts)


def random_split(count: int, num_validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shuffled indices of the training and of the validation samples, of all classes.

    Args:
        count: Number of samples.
        num_validation: How many of them are to validate on.
        seed: The split depends on it and on the numbers alone.

    Returns:
        Shapes (count - num_validation,) and (num_validation,) int64.
    """
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return order[num_validation:], order[:num_validation]


def _append(
    writer: DatasetWriter, split: Split, pieces: Iterator[np.ndarray], levels: np.ndarray
) -> None:
    for piece in pieces:
        channels = [levels[channel][piece[:, channel]] for channel in range(len(levels))]
        writer.append(split, "inputs", np.stack(channels, axis=1))


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
    levels = np.arange(256)
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for piece in _pieces(images, indices, size):
        for channel, total in enumerate(counts):
            total += np.bincount(piece[:, channel].ravel(), minlength=256)
    return np.stack([_standardized(levels, total) for total in counts])


def _standardized(levels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    number = int(counts.sum())
    mean = int(counts @ levels) / number
    variance = int(counts @ levels**2) / number - mean**2
    return ((levels - mean) / np.sqrt(variance)).astype(np.float32)
