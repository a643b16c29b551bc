"""A file of another kind is named for what it is, with the way out."""

import subprocess
import sys
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


FILES = {
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
