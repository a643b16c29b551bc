"""Datasets made for tests, and small raw files in place of the published ones."""

import hashlib
import importlib.util
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from specflow import paths
from specflow.datasets.dataset import Dataset, DatasetSection
from specflow.datasets.raw_files import RawFile
from specflow.datasets.storage import Data, load
from specflow.datasets.utterances import CHARACTERS

BYTES = {"kind": "bytes"}
ADDITION = {"kind": "modular_addition", "modulus": 13, "train_fraction": 0.3, "seed": 0}
DIGITS = {"kind": "digits", "image_size": 32, "validation_fraction": 0.2, "seed": 0}
MNIST = {"kind": "mnist", "image_size": 32, "validation_fraction": 0.001, "seed": 0}
FASHION_MNIST = MNIST | {"kind": "fashion_mnist"}
GLYPHS = {
    "kind": "glyphs",
    "image_size": 28,
    "validation_fraction": 0.25,
    "num_images": 1040,
    "clutter": 2,
    "noise": 0.1,
    "seed": 0,
}
CIFAR10 = {"kind": "cifar10", "image_size": 34, "validation_fraction": 0.1, "seed": 0}
TEXT = {
    "kind": "reference_text",
    "tokenizer": BYTES,
    "length": 32,
    "num_train_sequences": 60,
    "num_validation_sequences": 20,
    "validation_fraction": 0.35,
    "seed": 0,
}
WIKITEXT = {
    "kind": "wikitext103",
    "tokenizer": BYTES,
    "length": 16,
    "num_train_sequences": 15,
    "num_validation_sequences": 4,
    "lower_cased": False,
}
SPOKEN_DIGITS = {
    "kind": "spoken_digits",
    "num_train": 12,
    "num_validation": 6,
    "num_digits": [2, 4],
    "train_voices": 5,
    "validation_voices": 3,
    "noise": [10.0, 30.0],
    "logarithm": True,
    "seed": 0,
}
LIBRISPEECH = {"kind": "librispeech", "logarithm": True, "seed": 0}


def needs_speech(package: str) -> pytest.MarkDecorator:
    reason = "needs the extra speech: pip install -c constraints.txt -e '.[speech]'"
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=reason)


def valid(section: Mapping[str, object]) -> DatasetSection:
    return TypeAdapter(Dataset).validate_python(section)


def made(section: Mapping[str, object], folder: Path) -> Data:
    """The dataset of a section of params.yaml, prepared and loaded."""
    valid(section).prepare(folder / "data.h5")
    return load(folder / "data.h5")


def transcripts(part: Mapping[str, torch.Tensor]) -> list[str]:
    rows = part["targets"].tolist()
    return ["".join(CHARACTERS[symbol - 1] for symbol in row if symbol) for row in rows]


def idx(array: np.ndarray) -> bytes:
    """The format as the MNIST page has it: magic number 0x0000080N, N big-endian sizes, entries."""
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return (0x0800 + array.ndim).to_bytes(4, "big") + sizes + array.tobytes()


def tar_gz(members: Mapping[str, bytes | tuple[bytes, str]]) -> bytes:
    """An archive of files by content, and of others as (type, what they link to)."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    return target.getvalue()


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    owner: ModuleType | dict[str, RawFile],
    name: str,
    content: bytes,
) -> Path:
    """Put a file where the raw file of that name of a module belongs, and take it for that one."""
    names = owner if isinstance(owner, dict) else vars(owner)
    file = names[name]
    path = paths.raw_data() / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(names, name, file._replace(size=len(content), sha256=digest))
    return path
