"""Files of safetensors and torch.save are read, or refused in one line; none is executed."""

import argparse
import json
import os
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints import formats
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError
from specflow.wiring.tensors import FLOATS, TensorInfo


def save_old(state, path):
    """Save as torch before 1.6."""
    torch.save(state, path, _use_new_zipfile_serialization=False)


SAVE = {"safetensors": save_file, "pt": torch.save, "old.pt": save_old}
of_any_kind = pytest.mark.parametrize("kind", SAVE)


def saved(folder, kind, state):
    path = folder / f"model.{kind}"
    SAVE[kind](state, path)
    return path


def weights(dtype=torch.float32):
    torch.manual_seed(0)
    return {"b.weight": torch.randn(3, 5).to(dtype), "a.bias": torch.zeros(3)}


@of_any_kind
@pytest.mark.parametrize("dtype", FLOATS)
def test_tensors_read_back_in_their_own_dtype_and_order(tmp_path, dtype, kind):
    with open_checkpoint(saved(tmp_path, kind, weights(dtype))) as file:
        in_order = ["a.bias", "b.weight"] if kind == "safetensors" else ["b.weight", "a.bias"]
        assert list(file.infos) == in_order
        assert file.infos["b.weight"] == TensorInfo((3, 5), dtype)
        assert torch.equal(file.read("b.weight"), weights(dtype)["b.weight"])
        assert not file.skipped


def test_order_of_safetensors_is_that_of_numbers_by_value(tmp_path):
    state = {name: torch.zeros(2, 2) for name in ("layer.2", "layer.10", "layer.1", "a")}
    with open_checkpoint(saved(tmp_path, "safetensors", state)) as file:
        assert list(file.infos) == ["a", "layer.1", "layer.2", "layer.10"]


@of_any_kind
def test_tensor_is_contiguous_detached_and_independent_of_the_file(tmp_path, kind):
    transposed = torch.nn.Parameter(torch.ones(4, 6)).T
    state = {"w": torch.ones(6, 4) if kind == "safetensors" else transposed}
    path = saved(tmp_path, kind, state)
    with open_checkpoint(path) as file:
        weight = file.read("w")
    path.write_bytes(bytes(path.stat().st_size))
    assert weight.is_contiguous()
    assert not weight.requires_grad
    assert torch.equal(weight, torch.ones(6, 4))


@of_any_kind
@pytest.mark.parametrize("size", [5, 8, 40, 1000, 5000, 9000, -1])
def test_file_cut_anywhere_is_refused(tmp_path, refused, kind, size):
    path = saved(tmp_path, kind, {"w": torch.ones(50, 50)})
    path.write_bytes(path.read_bytes()[:size])
    expected = "safetensors file" if kind == "safetensors" else "file of torch.save"
    refused(path, rf"broken or truncated \(.+\); expected a whole {expected}")


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def replace(path):
    copy = path.with_name("other")
    copy.write_bytes(path.read_bytes()[::-1])
    copy.replace(path)


def overwrite(path):
    state = path.stat()
    with path.open("r+b") as file:
        file.write(bytes(100))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [cut, replace, overwrite])
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_file_that_changes_after_it_was_opened_is_refused(tmp_path, kind, change):
    path = saved(tmp_path, kind, {"w": torch.ones(800, 800)})
    with open_checkpoint(path) as file:
        change(path)
        with pytest.raises(SpecflowError, match="cut, written or replaced while it was read"):
            file.read("w")


def test_file_that_is_cut_while_a_tensor_is_read_ends_no_process(tmp_path, monkeypatch):
    """A mapped one would: by a signal that cannot be caught."""
    path = saved(tmp_path, "pt", {"w": torch.ones(800, 800)})
    with open_checkpoint(path) as file:
        check = formats.TensorFile._check

        def check_then_cut(self, now):
            check(self, now)
            os.truncate(path, 5000)

        monkeypatch.setattr(formats.TensorFile, "_check", check_then_cut)
        with pytest.raises(SpecflowError, match="truncated at 'w'"):
            file.read("w")


@pytest.mark.parametrize("kind", ["pt", "old.pt"])
def test_state_dict_with_other_entries_is_one(tmp_path, kind):
    state = {**weights(), "epoch": 3, "_extra_state": None, "arguments": {"lr": 0.1}}
    with open_checkpoint(saved(tmp_path, kind, state)) as file:
        assert set(file.infos) == {"a.bias", "b.weight"}
        assert file.skipped["epoch"] == "of type int: no tensor"
        assert set(file.skipped) == {"epoch", "_extra_state", "arguments"}


def test_views_of_one_storage_read_back(tmp_path):
    flat = torch.arange(60.0)
    state = {
        "a": flat[3:33].view(5, 6),
        "b": flat[10:40].view(6, 5).T,
        "c": flat[::7],
        "d": flat[:0],
    }
    with open_checkpoint(saved(tmp_path, "pt", state)) as file:
        for name, tensor in state.items():
            assert torch.equal(file.read(name), tensor)
            assert file.read(name).is_contiguous()


@pytest.mark.parametrize("length", [5, 20])
def test_record_of_another_size_than_its_tensor_claims_is_refused(tmp_path, refused, length):
    path, other = saved(tmp_path, "pt", {"w": torch.ones(10)}), tmp_path / "other.pt"
    torch.save({"w": torch.zeros(length)}, other)
    with zipfile.ZipFile(path) as claims, zipfile.ZipFile(other) as holds:
        data = {name: claims.read(name) for name in claims.namelist()}
        data["model/data/0"] = holds.read("other/data/0")
    with zipfile.ZipFile(path, "w") as mixed:
        for name, content in data.items():
            mixed.writestr(name, content)
    refused(path, "record 0 has \\d+ bytes, not 40")


def write_raw(folder, header, data=b"", length=None):
    """Write a safetensors file of any header, also of one that the library would not write."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "raw.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(begin, end, shape=(2,)):
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}


HOSTILE = {
    "header of 2^60 bytes": ({"w": entry(0, 8)}, bytes(8), 2**60),
    "header of 99 MB": ({"w": entry(0, 8)}, bytes(8), 99_000_000),
    "truncated data": ({"w": entry(0, 8)}, bytes(4)),
    "data beyond the tensors": ({"w": entry(0, 8)}, bytes(12)),
    "overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "offsets out of range": ({"w": entry(0, 2**62)}, bytes(8)),
    "negative offsets": ({"w": entry(-8, 0)}, bytes(8)),
    "shape that overflows": ({"w": entry(0, 8, (2**40, 2**40))}, bytes(8)),
    "header that is no JSON": (b"{]",),
    "unknown dtype": ({"w": entry(0, 8) | {"dtype": "F99"}}, bytes(8)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_safetensors_file_is_refused_in_one_line(tmp_path, refused, case):
    refused(write_raw(tmp_path, *HOSTILE[case]), "raw.safetensors: broken or truncated")


def test_dtype_that_torch_does_not_have_is_listed(tmp_path):
    header = {"w": {"dtype": "F4", "shape": [2, 2], "data_offsets": [0, 2]}}
    with open_checkpoint(write_raw(tmp_path, header, b"ab")) as file:
        assert file.skipped == {"w": "dtype F4: no floating point of torch"}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"state_dict": weights()}, "state_dict"),
        ({"model": weights()}, "model"),
        ({"model": weights()}, None),
        ({"ema": {"online": weights()}, "model": {"other": torch.ones(1)}}, "ema.online"),
    ],
)
def test_weights_of_a_training_checkpoint(tmp_path, content, key):
    path = tmp_path / "last.ckpt"
    optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, **content, "optimizer_states": [optimizer]}, path)
    with open_checkpoint(path, key) as file:
        assert list(file.infos) == ["b.weight", "a.bias"]


@pytest.mark.parametrize(
    ("content", "key", "match"),
    [
        ({"encoder": weights(), "epoch": 3}, None, r"no weights under a usual key; expected `key`"),
        ({"encoder": weights(), "epoch": 3}, None, r"to be one of \[encoder\]"),
        ({"encoder": weights(), "epoch": 3}, "x", r"key 'x': there is no 'x', but \[encoder, ep"),
        ({"encoder": weights(), "scale": torch.ones(1)}, None, r"no weights under a usual key"),
        (
            {"epoch": 3},
            "epoch",
            r"key 'epoch': got something of type int; expected a dict of tensors",
        ),
        ({"epoch": 3}, "epoch.x", r"there is no 'x', but something of type int"),
        ({"model": weights(), "state_dict": weights()}, None, r"under \['state_dict', 'model'\]"),
        ([torch.ones(2, 2)], None, "got something of type list; expected a dict of tensors"),
        (torch.ones(2, 2), None, "got something of type tensor; expected a dict of tensors"),
        ({}, None, "got an empty dict, no tensor in it; expected a dict of tensors"),
        ({"a": 1, "loss": [1, 2]}, None, r"got \[a, loss\], no tensor in it; expected a dict"),
        (argparse.Namespace(a=1), None, "got something of type argparse.Namespace; expected"),
        ({0: torch.ones(2, 2)}, None, "a tensor has the name 0; expected text"),
        (torch.optim.SGD(weights().values()).state_dict(), None, "the state of an optimizer; exp"),
    ],
)
def test_content_that_is_no_one_state_dict_is_refused(tmp_path, refused, content, key, match):
    torch.save(content, tmp_path / "last.pt")
    refused(tmp_path / "last.pt", match, key)


def test_entries_that_are_no_dense_tensors_are_listed(tmp_path):
    state = {
        "w": torch.ones(2, 2),
        "_extra_state": None,
        "sparse": torch.eye(3).to_sparse(),
        "huge": torch.ones(1).expand(2**30, 2**10),
    }
    with open_checkpoint(saved(tmp_path, "pt", {"model": state})) as file:
        assert list(file.infos) == ["w"]
        assert file.skipped["_extra_state"] == "of type NoneType: no tensor"
        assert "no dense tensor" in file.skipped["sparse"]
        assert file.skipped["huge"].startswith(f"claims {2**42} bytes in a file of")


def test_compressed_archive_is_refused(tmp_path, refused):
    with (
        zipfile.ZipFile(saved(tmp_path, "pt", {"w": torch.ones(50, 50)})) as whole,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    refused(tmp_path / "packed.pt", "packed.pt: an archive that is compressed")
