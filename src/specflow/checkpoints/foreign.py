"""Files that are no checkpoints we read: what they are, and the way from them to one."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py

_OF_TORCH = "save the weights with torch.save or safetensors"
_STARTS = {
    b"version https://git-lfs": "a pointer of Git LFS in place of the file; `git lfs pull` gets it",
    b"GGUF": "GGUF, whose tensors are quantized in blocks; the original weights are needed",
    b"\x93NUMPY": f"an array of NumPy; name its tensors in a dict and {_OF_TORCH}",
    b"<!DOCTYPE": "a page of a website in place of the file; download it again",
    b"<html": "a page of a website in place of the file; download it again",
}
_SUFFIXES = {
    ".onnx": f"ONNX; load it with the package onnx and {_OF_TORCH}",
    ".msgpack": f"weights of Flax; load them into the model with `from_flax=True` and {_OF_TORCH}",
    ".pb": f"a graph of TensorFlow; {_OF_TORCH}",
    ".tflite": f"a model of TensorFlow Lite; {_OF_TORCH}",
    ".index": f"a checkpoint of TensorFlow; read its variables with tf.train and {_OF_TORCH}",
    ".distcp": "a part of a distributed checkpoint of torch; name its folder",
}
_KERAS = f"a model of Keras; read its weights with keras and {_OF_TORCH}"
START = max(map(len, _STARTS))  # bytes that tell


def foreign(path: Path, start: bytes) -> str | None:
    """Return what a file is, and the way out, if it is of a kind that is not read.

    Args:
        path: The file.
        start: Its first `START` bytes.
    """
    for begins, what in _STARTS.items():
        if start.startswith(begins):
            return what
    if zipfile.is_zipfile(path):
        return _of_archive(path)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _of_hdf5(path)
    return _SUFFIXES.get(path.suffix)


def foreign_folder(path: Path) -> str | None:
    """Return what a folder is, and the way out, if it is of a kind that is not read."""
    names = {entry.name for entry in path.iterdir()}
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        return f"a distributed checkpoint of torch; `{convert} {path} FILE.pt` makes one file of it"
    if "saved_model.pb" in names:
        return _SUFFIXES[".pb"]
    return None


def _of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # what is broken is told by who reads it
        return None
    if "model.weights.h5" in names:
        return _KERAS
    if names and all(name.endswith(".npy") for name in names):
        return f"an archive of NumPy; {_OF_TORCH}"
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
