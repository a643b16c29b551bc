import argparse
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from specflow.checkpoints.base import TensorInfo
from specflow.checkpoints.opening import open_checkpoint

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def weights(dtype=torch.float32):
    torch.manual_seed(0)
    return OrderedDict({"b.weight": torch.randn(3, 5).to(dtype), "a.bias": torch.zeros(3)})


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("is_zip", [True, False])
def test_state_dict_reads_back_in_its_own_dtype_and_order(tmp_path, dtype, is_zip):
    path = tmp_path / "model.pt"
    torch.save(weights(dtype), path, _use_new_zipfile_serialization=is_zip)
    with open_checkpoint(path) as file:
        assert list(file.infos) == ["b.weight", "a.bias"]
        assert file.infos["b.weight"] == TensorInfo((3, 5), dtype)
        assert torch.equal(file.read("b.weight"), weights(dtype)["b.weight"])


def test_tensor_is_contiguous_detached_and_independent_of_the_file(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"w": torch.nn.Parameter(torch.ones(4, 6)).T}, path)
    with open_checkpoint(path) as file:
        weight = file.read("w")
    path.write_bytes(bytes(path.stat().st_size))
    assert weight.is_contiguous()
    assert not weight.requires_grad
    assert torch.equal(weight, torch.ones(6, 4))


def test_file_is_mapped_anew_when_much_of_it_was_read(tmp_path, monkeypatch):
    loads = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: loads.append(k["mmap"]) or load(*a, **k))
    monkeypatch.setattr("specflow.checkpoints.formats.MAPPED_BYTES", 2 * 400)
    state = {f"layer.{i}": torch.full((10, 10), float(i)) for i in range(7)}
    torch.save(state, tmp_path / "model.pt")
    with open_checkpoint(tmp_path / "model.pt") as file:
        for name, weight in state.items():
            assert torch.equal(file.read(name), weight)
    assert loads == [True] * 3


@pytest.mark.parametrize("key", ["state_dict", "model", None])
def test_weights_of_a_training_checkpoint(tmp_path, key):
    path = tmp_path / "last.ckpt"
    optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, key or "model": weights(), "optimizer_states": [optimizer]}, path)
    with open_checkpoint(path, key) as file:
        assert list(file.infos) == ["b.weight", "a.bias"]


def test_key_leads_through_dots(tmp_path):
    path = tmp_path / "last.bin"
    torch.save({"ema": {"online": weights()}, "model": weights()}, path)
    with open_checkpoint(path, "ema.online") as file:
        assert len(file.infos) == 2


def test_key_that_is_not_there_lists_those_that_are(tmp_path, refused):
    path = tmp_path / "last.pt"
    torch.save({"encoder": weights(), "epoch": 3}, path)
    refused(path, r"no weights under a usual key; expected `key` to be one of \[encoder, epoch\]")
    refused(path, r"key 'decoder': there is no 'decoder', but \[encoder, epoch\]", "decoder")
    refused(path, r"key 'epoch': got a int; expected a dict of tensors", "epoch")
    refused(path, r"there is no 'x', but a int", "epoch.x")


def test_two_usual_keys_are_not_chosen_between(tmp_path, refused):
    path = tmp_path / "last.pt"
    torch.save({"model": weights(), "state_dict": weights()}, path)
    refused(path, r"weights under \['state_dict', 'model'\]")


def test_what_is_no_dict_is_refused(tmp_path, refused):
    torch.save([torch.ones(2, 2)], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "got a list; expected a dict of tensors")


def test_entries_that_are_no_dense_tensors_are_listed(tmp_path):
    path = tmp_path / "model.pt"
    state = {
        "w": torch.ones(2, 2),
        "_extra_state": None,
        "sparse": torch.eye(3).to_sparse(),
        "huge": torch.ones(1).expand(2**30, 2**10),
    }
    torch.save({"model": state}, path)
    with open_checkpoint(path) as file:
        assert list(file.infos) == ["w"]
        assert file.skipped["_extra_state"] == "a NoneType: no tensor"
        assert "no dense tensor" in file.skipped["sparse"]
        assert file.skipped["huge"].startswith(f"claims {2**42} bytes in a file of")


class Hostile:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("kind", ["zip", "old", "pickle 2", "pickle 4"])
def test_pickle_that_would_run_code_is_refused_and_nothing_runs(tmp_path, refused, kind):
    path, target = tmp_path / "model.pt", tmp_path / "executed"
    content = {"w": torch.ones(2, 2), "x": Hostile(target)}
    if kind.startswith("pickle"):
        path.write_bytes(pickle.dumps(content["x"], protocol=int(kind[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    refused(path, r"refused, it needs (\S*system|operand 149) to be loaded, which may execute")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]


def test_the_same_pickle_runs_where_nothing_refuses_it(tmp_path):
    torch.save(Hostile(tmp_path / "executed"), tmp_path / "model.pt")
    torch.load(tmp_path / "model.pt", weights_only=False)
    assert (tmp_path / "executed").exists()


def test_file_that_needs_a_class_is_refused_with_its_name(tmp_path, refused):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": weights(), "hyper_parameters": argparse.Namespace(a=1)}, path)
    refused(path, r"it needs argparse.Namespace to be loaded")
    torch.save(torch.nn.Linear(2, 2), path)
    refused(path, r"it needs torch.nn.modules.linear.Linear to be loaded")


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9])
def test_file_cut_anywhere_is_refused(tmp_path, refused, is_zip, share):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.ones(50, 50)}, path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, r"broken or truncated \(.+\); expected a whole file of torch.save")


def test_compressed_archive_is_refused(tmp_path, refused):
    torch.save({"w": torch.ones(50, 50)}, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as whole,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    refused(tmp_path / "packed.pt", "broken or truncated")


def test_torchscript_is_refused(tmp_path, refused):
    path = tmp_path / "script.pt"
    content = {"data.pkl": b"\x80\x02}.", "constants.pkl": b"\x80\x02).", "version": b"3\n"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(f"script/{name}", data)
    refused(path, "refused, a TorchScript program; expected a state dict")


def test_name_that_is_no_text_is_refused(tmp_path, refused):
    torch.save({0: torch.ones(2, 2)}, tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "a tensor has the name 0; expected text")
