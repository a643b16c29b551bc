"""A file of another kind is named for what it is, with the way out."""

import gzip
import lzma
import subprocess
import sys
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp

from specflow.checkpoints.folders import chosen_in
from specflow.checkpoints.opening import kind_of, open_checkpoint
from specflow.errors import SpecflowError

WEIGHTS = {"a": np.ones((3, 4), np.float32)}


def keras(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")


def old_keras(path):
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights")


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["weights"] = WEIGHTS["a"]


def archive_with(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return write


def tar(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "model.pt")


def holds(content):
    return lambda path: path.write_bytes(content)


def script(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {"data.pkl": b"\x80\x02}.", "constants.pkl": b"\x80\x02)."}.items():
            archive.writestr(f"script/{name}", data)


FILES = {
    "empty.pt": (holds(b""), "empty; copy or download it again"),
    "model.safetensors.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), "compressed with"),
    "model.tar.xz": (holds(lzma.compress(b"x")), "compressed with xz"),
    "model.tar": (tar, "a tar archive; unpack it"),
    "model.zip": (archive_with("a.txt"), "a zip archive; unpack it"),
    "program.pt2": (
        archive_with("m/archive_format", "m/models/model.json"),
        "a program of torch",
    ),
    "script.pt": (script, "a TorchScript program; load it with torch.jit.load"),
    "model.bin": (holds(b"\xba\x16\x4f\x2f" + bytes(100)), "a model of fastText"),
    "vectors.bin": (holds(b"2000 300\nthe " + bytes(100)), "word vectors of word2vec"),
    "ggml-model.bin": (holds(b"lmgg" + bytes(100)), "GGML"),
    "model.ckpt.index": (holds(bytes(100)), "a checkpoint of TensorFlow"),
    "model.ckpt.data-00000-of-00001": (holds(bytes(100)), "a checkpoint of TensorFlow"),
    "checkpoint": (holds(b'model_checkpoint_path: "a"\n'), "the note of TensorFlow on its"),
    "model.engine": (holds(b"ftrt" + bytes(100)), "an engine of TensorRT"),
    "model.mlmodel": (holds(b"\x08\x05" + bytes(100)), "a model of Core ML"),
    "tokenizer.json": (holds(b'{"version": "1.0"}'), "a tokenizer, no weights"),
    "config.json": (holds(b' {"model_type": "llama"}'), "JSON, no weights"),
    "tokenizer.model": (holds(b"\n\x0e\n\x05<unk>\x15" + bytes(90)), "a tokenizer, no weights"),
    "denied.safetensors": (holds(b"<?xml version='1.0'?><Error>"), "an answer of a website"),
    "model.keras": (keras, "a model of Keras"),
    "model.h5": (old_keras, "a model of Keras"),
    "other.h5": (hdf5, "HDF5 that is not of specflow"),
    "weights.npz": (lambda path: np.savez(path, **WEIGHTS), "an archive of NumPy"),
    "weights.npy": (lambda path: np.save(path, WEIGHTS["a"]), "an array of NumPy"),
    "model.gguf": (lambda path: path.write_bytes(b"GGUF" + bytes(100)), "GGUF"),
    "model.onnx": (lambda path: path.write_bytes(b"\x08\x07\x12\x04onnx"), "ONNX"),
    "flax_model.msgpack": (lambda path: path.write_bytes(b"\x81\xa6params"), "weights of Flax"),
    "model.safetensors": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "a pointer of Git LFS .* `git lfs pull`",
    ),
    "model.pt": (lambda path: path.write_text("<!DOCTYPE html>\n<html>"), "a page of a website"),
}


@pytest.mark.parametrize("name", FILES)
def test_file_of_another_kind_is_named(tmp_path, name):
    make, said = FILES[name]
    make(tmp_path / name)
    with pytest.raises(SpecflowError, match=f"{name}: {said}"):
        kind_of(tmp_path / name)


@pytest.mark.filterwarnings("ignore")  # of torch, which saves in one process
def test_distributed_checkpoint_is_named_and_the_way_out_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dcp.save({"a": torch.ones(3, 4)}, checkpoint_id=tmp_path / "step5", no_dist=True)
    with pytest.raises(SpecflowError, match="step5: a distributed checkpoint of torch") as error:
        chosen_in(tmp_path / "step5")
    _, *command = str(error.value).split("`")[1].split()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    with open_checkpoint(tmp_path / "FILE.pt") as file:
        assert torch.equal(file.read("a"), torch.ones(3, 4))


FOLDERS = {
    "parts of a distributed checkpoint of torch, without": ("__0_0.distcp", "__1_0.distcp"),
    "a checkpoint of TensorFlow": ("checkpoint", "model.index", "model.data-00000-of-00001"),
    "a checkpoint of Orbax": ("_CHECKPOINT_METADATA",),
    "has no weights of torch, but flax_model.msgpack": ("flax_model.msgpack", "config.json"),
    "a graph of TensorFlow": ("saved_model.pb",),
}


@pytest.mark.parametrize("said", FOLDERS)
def test_folder_of_another_kind_is_named(tmp_path, said):
    for name in FOLDERS[said]:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SpecflowError, match=said):
        chosen_in(tmp_path)


@pytest.mark.parametrize("length", [0x7B, 0x5B, 0x1F8B, 0x8002, 0x280, 0x380])
def test_safetensors_whose_length_looks_like_another_kind_is_one(tmp_path, length):
    """The first bytes are the length of the header, and may be those of any kind."""
    header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length).encode()
    (tmp_path / "m").write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    with open_checkpoint(tmp_path / "m") as file:
        assert file.read("w") == 0


BROKEN = {
    "model.pt": (b"PK\x03\x04", "torch"),
    "model.safetensors": (bytes(8) + b"{", "safetensors"),
    "run.h5": (b"\x89HDF\r\n\x1a\n", "trajectory"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_not_taken_for_others(tmp_path, name):
    start, kind = BROKEN[name]
    (tmp_path / name).write_bytes(start + bytes(100))
    assert kind_of(tmp_path / name) == kind
