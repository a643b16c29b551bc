"""Files that are no checkpoints we read: what they are, and the way from them to one."""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py

_OF_TORCH = "save the weights with torch.save or safetensors"
_AGAIN = "in place of the file; download it again"
_STARTS = {
    b"version https://git-lfs": "a pointer of Git LFS in place of the file; `git lfs pull` gets it",
    b"GGUF": "GGUF, whose tensors are quantized in blocks; the original weights are needed",
    **dict.fromkeys(
        (b"lmgg", b"tjgg", b"fmgg", b"algg"),
        "GGML, whose tensors are quantized in blocks; the original weights are needed",
    ),
    b"\x93NUMPY": f"an array of NumPy; name its tensors in a dict and {_OF_TORCH}",
    b"\xba\x16\x4f\x2f": f"a model of fastText; read it with the package fasttext and {_OF_TORCH}",
    b"<!DOCTYPE": f"a page of a website {_AGAIN}",
    b"<!doctype": f"a page of a website {_AGAIN}",
    b"<html": f"a page of a website {_AGAIN}",
    b"<?xml": f"an answer of a website, in XML, {_AGAIN}",
    b"\x1f\x8b": "compressed with gzip; unpack it with gunzip, and name what was in it",
    b"BZh": "compressed with bzip2; unpack it with bunzip2, and name what was in it",
    b"\xfd7zXZ": "compressed with xz; unpack it with unxz, and name what was in it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it with unzstd, and name what was in it",
}
_TENSORFLOW = f"a checkpoint of TensorFlow; read its variables with tf.train and {_OF_TORCH}"
_SUFFIXES = {
    ".onnx": f"ONNX; load it with the package onnx and {_OF_TORCH}",
    ".msgpack": f"weights of Flax; load them into the model with `from_flax=True` and {_OF_TORCH}",
    ".pb": f"a graph of TensorFlow; {_OF_TORCH}",
    ".tflite": f"a model of TensorFlow Lite; {_OF_TORCH}",
    ".index": _TENSORFLOW,
    ".meta": _TENSORFLOW,
    ".distcp": "a part of a distributed checkpoint of torch; name its folder",
    **dict.fromkeys(
        (".engine", ".plan", ".trt"),
        "an engine of TensorRT, compiled for one GPU; the original weights are needed",
    ),
    **dict.fromkeys(
        (".mlmodel", ".mlpackage"),
        "a model of Core ML; the original weights are needed",
    ),
    **dict.fromkeys(
        (".pte", ".ptl"),
        "a program of torch for phones; the original weights are needed",
    ),
}
_KERAS = f"a model of Keras; read its weights with keras and {_OF_TORCH}"
_TAR = "a tar archive; unpack it, and name what was in it"
_TENSORFLOW_DATA = re.compile(r"\.data-[0-9]{5}-of-[0-9]{5}$")
_VECTORS = re.compile(rb"[0-9]+ [0-9]+\r?\n")
_TEXT = re.compile(rb"(?!L1195470371)[\t\n\r -~]+")  # but a pickle of protocol 0 by torch.save
START = 512  # bytes that tell


def foreign(path: Path, start: bytes) -> str | None:
    """Return what a file is, and the way out, if it is of a kind that is not read.

    Args:
        path: The file.
        start: Its first `START` bytes.
    """
    if not start:
        return "empty; copy or download it again"
    for begins, what in _STARTS.items():
        if start.startswith(begins):
            return what
    if start[257:262] == b"ustar":
        return _TAR
    if start.startswith(b"PK\x03\x04"):
        return _of_archive(path)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _of_hdf5(path)
    if _TENSORFLOW_DATA.search(path.name):
        return _TENSORFLOW
    if _VECTORS.match(start):
        return f"word vectors of word2vec or fastText; read them with gensim and {_OF_TORCH}"
    return _SUFFIXES.get(path.suffix)


def what_is(path: Path, start: bytes) -> str:
    """Return what a file of no kind that is known by its first bytes looks like."""
    if b"<unk>" in start or path.name.startswith(("tokenizer", "spiece", "sentencepiece")):
        return "a tokenizer, no weights"
    if start.lstrip()[:1] in (b"{", b"["):
        return "JSON, no weights"
    if start.startswith(b"model_checkpoint_path:"):
        return "the note of TensorFlow on its checkpoints, no weights"
    if is_text(start):
        return "text, no weights"
    return "of no known kind"


def is_text(start: bytes) -> bool:
    """Return whether the first bytes of a file are those of plain text."""
    return _TEXT.fullmatch(start) is not None


def foreign_folder(path: Path) -> str | None:
    """Return what a folder is, and the way out, if it is of a kind that is not read."""
    names = {entry.name for entry in path.iterdir()}
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        return f"a distributed checkpoint of torch; `{convert} {path} FILE.pt` makes one file of it"
    if any(name.endswith(".distcp") for name in names):
        return "parts of a distributed checkpoint of torch, without its .metadata"
    if "saved_model.pb" in names:
        return _SUFFIXES[".pb"]
    if "checkpoint" in names and any(name.endswith(".index") for name in names):
        return _TENSORFLOW
    if path.suffix == ".mlpackage":
        return _SUFFIXES[path.suffix]
    if {"_CHECKPOINT_METADATA", "manifest.ocdbt"} & names:
        return f"a checkpoint of Orbax; restore it with orbax-checkpoint and {_OF_TORCH}"
    if others := sorted(names & {"flax_model.msgpack", "tf_model.h5", "model.onnx"}):
        return f"has no weights of torch, but {', '.join(others)}; {_OF_TORCH}"
    if any(name.startswith("models--") for name in names):
        return "a cache of several networks; name one of its folders models--..."
    return None


def _of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # what is broken is told by who reads it
        return None
    inner = {name.partition("/")[2] for name in names}
    if "model.weights.h5" in names:
        return _KERAS
    if names and all(name.endswith(".npy") for name in names):
        return f"an archive of NumPy; {_OF_TORCH}"
    if "constants.pkl" in inner:
        return f"a TorchScript program; load it with torch.jit.load and {_OF_TORCH}"
    if {"archive_format", "serialized_state_dict.pt", "models/model.json"} & {*inner, *names}:
        return f"a program of torch.export; load it with torch.export.load and {_OF_TORCH}"
    if any(name.startswith("Data/com.apple.CoreML") for name in names):
        return _SUFFIXES[".mlpackage"]
    if names and "data.pkl" not in inner:
        return "a zip archive; unpack it, and name what was in it"
    return None


def _of_hdf5(path: Path) -> str | None:
    try:
        with h5py.File(path, "r") as file:
            names: Iterable[str] = [*file.attrs, *file]
            is_ours = "kind" in file.attrs
    except (OSError, RuntimeError, ValueError, SystemError, LookupError):
        return None
    if is_ours:
        return None
    if {"keras_version", "layer_names", "model_weights", "layers"} & {*names}:
        return _KERAS
    return f"HDF5 that is not of specflow; {_OF_TORCH}"
