"""Prepared datasets as HDF5: groups /train and /validation, each with arrays of samples.

Attributes: `config`, the dataset's section as JSON; `fingerprint`, a SHA-256 over names, types,
shapes and contents of all arrays, whatever the pieces they were written in. A dataset may have a
further array /metadata, JSON in UTF-8: attributes hold no more than 64 KiB, and tokenizers are
larger.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
from pydantic import BaseModel

from specflow import hdf5
from specflow.hdf5 import Layout

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "validation"]
Metadata = Mapping[str, str | float]
SPLITS: tuple[Split, ...] = ("train", "validation")
LAYOUT = Layout("dataset", 1)
_CHUNK_BYTES = 2**18
_METADATA = "metadata"


@dataclass(frozen=True, eq=False)
class Data:
    """A prepared dataset in memory.

    Attributes:
        train: Arrays by name, with one row a sample; most have `inputs` and `targets`.
        validation: The same for the samples that are not trained on.
        fingerprint: SHA-256 over the contents of all arrays, hexadecimal.
        config: The section that it was made from, as JSON has it.
        metadata: Facts about the data that their params do not tell, by name.
    """

    train: "dict[str, Tensor]"
    validation: "dict[str, Tensor]"
    fingerprint: str
    config: Mapping[str, Any]
    metadata: Metadata = field(default_factory=dict)


class DatasetWriter:
    """Takes the arrays of a dataset piece by piece, so that none has to fit in memory."""

    def __init__(self, file: h5py.File) -> None:
        """Write into an open, empty file."""
        self._file = file
        self._digests: dict[str, Any] = {}

    def append(self, split: Split, name: str, rows: np.ndarray) -> None:
        """Add rows at the end of an array, which its first piece creates.

        Args:
            split: Part of the dataset that the array belongs to.
            name: Name of the array, for example "inputs".
            rows: Shape (number of rows, *shape of a row), number free for every piece.

        Raises:
            ValueError: If type or row shape differ from those of the first piece.
        """
        key = f"{split}/{name}"
        if key not in self._file:
            self._create(key, rows)
        stored = self._file[key]
        if (rows.dtype, rows.shape[1:]) != (stored.dtype, stored.shape[1:]):
            raise ValueError(
                f"{key}: piece of {rows.dtype} rows of shape {rows.shape[1:]}; "
                f"expected {stored.dtype} rows of shape {stored.shape[1:]}"
            )
        start = len(stored)
        stored.resize(start + len(rows), axis=0)
        stored[start:] = rows
        self._digests[key].update(np.ascontiguousarray(rows))

    def describe(self, metadata: Metadata) -> None:
        """Keep facts about the data, texts and numbers by name, beside them; once."""
        text = json.dumps(dict(metadata), sort_keys=True).encode()
        hdf5.write(self._file, _METADATA, np.frombuffer(text, np.uint8))
        self._digests[_METADATA] = hashlib.sha256(text)

    def fingerprint(self) -> str:
        """Return the SHA-256 over everything written so far, hexadecimal."""
        return _fingerprint(self._file, self._digests)

    def _create(self, key: str, rows: np.ndarray) -> None:
        row_shape = rows.shape[1:]
        row_bytes = rows.dtype.itemsize * int(np.prod(row_shape))
        chunk_rows = max(1, min(len(rows), _CHUNK_BYTES // max(1, row_bytes)))
        self._file.create_dataset(
            key,
            shape=(0, *row_shape),
            maxshape=(None, *row_shape),
            chunks=(chunk_rows, *row_shape),
            dtype=rows.dtype,
            track_times=False,
        )
        self._digests[key] = hashlib.sha256()


@contextmanager
def write_dataset(path: Path, config: BaseModel) -> Iterator[DatasetWriter]:
    """Write a dataset; it is at its place once the block has ended without error.

    Args:
        path: Where the dataset goes; missing folders are made.
        config: The section that it is made from, kept beside the data.

    Yields:
        Takes the arrays.

    Raises:
        SpecflowError: If the file cannot be written (a full disk); nothing is left of it.
    """
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    with hdf5.create(path, LAYOUT, {"config": text}) as file:
        writer = DatasetWriter(file)
        yield writer
        file.attrs["fingerprint"] = writer.fingerprint()


def load(path: Path) -> Data:
    """Read a dataset into memory.

    Its tensors are on the CPU and have the types that were written.

    Raises:
        BrokenFileError: If the file is missing, truncated, damaged or of another version, with its
            name and how to rebuild it.
    """
    import torch  # here, since preparing data needs none of it

    with hdf5.open_file(path, LAYOUT) as file:
        try:
            keys = [f"{split}/{name}" for split in SPLITS for name in file[split]]
            keys += [_METADATA] if _METADATA in file else []
            arrays = {key: file[key][...] for key in keys}
            found, config = file.attrs["fingerprint"], json.loads(file.attrs["config"])
            config["kind"]
        except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
            raise hdf5.BrokenFileError(path, f"no dataset of specflow ({error})") from error
    tensors: dict[str, dict[str, Tensor]] = {split: {} for split in SPLITS}
    metadata = json.loads(arrays.pop(_METADATA).tobytes()) if _METADATA in arrays else {}
    for key, array in arrays.items():
        split, name = key.split("/")
        tensors[split][name] = torch.from_numpy(array)
    return Data(**tensors, fingerprint=found, config=config, metadata=metadata)


def fingerprint(path: Path) -> str:
    """Return the fingerprint that a dataset was written with, without reading its contents.

    Raises:
        BrokenFileError: If the file is missing, truncated or of another version.
    """
    with hdf5.open_file(path, LAYOUT) as file:
        return file.attrs["fingerprint"]


def _fingerprint(arrays: Mapping[str, Any], digests: Mapping[str, Any]) -> str:
    lines = sorted(
        f"{key} {arrays[key].dtype.str} {arrays[key].shape} {digest.hexdigest()}"
        for key, digest in digests.items()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
