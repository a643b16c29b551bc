"""What torch.save wrote beside weights: read without executing anything, in every format."""

import argparse
import collections
import contextlib
import dataclasses
import datetime
import enum
import functools
import os
import pathlib
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from specflow.checkpoints.opening import kind_of, open_checkpoint
from specflow.checkpoints.torch_files import TorchFile
from specflow.errors import SpecflowError


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Settings:
    width: int = 3


class Attributes(dict):
    """A dict with attributes, as configs are."""


INERT = {
    "namespace": argparse.Namespace(lr=0.1, path=pathlib.Path("x")),
    "scalar": np.float64(1.5),
    "array": np.arange(6.0).reshape(2, 3),
    "enum": Color.RED,
    "dataclass": Settings(),
    "date": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "partial": functools.partial(int, base=2),
    "dtype": torch.bfloat16,
    "device": torch.device("cpu"),
    "size": torch.Size([2, 3]),
    "set": {1, 2},
    "frozen": frozenset({"a"}),
    "default": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("abca"),
    "class": Settings,
    "function": os.path.join,
    "attributes": Attributes(a=Attributes(b=1)),
    "complex": 1 + 2j,
    "range": range(3),
    "bytes": bytearray(b"ab"),
    "generator": torch.Generator().get_state(),
}
FORMATS = {"archive": True, "legacy": False}
of_any_format = pytest.mark.parametrize("is_archive", FORMATS.values(), ids=FORMATS)


def save(content, path, is_archive=True):
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)
    return path


def weights():
    generator = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(5, 4, generator=generator),
        "b.weight": torch.randn(6, 5, generator=generator).to(torch.bfloat16).T,
        "count": torch.tensor(3),
    }


def check(path, expected, key=None):
    with open_checkpoint(path, key) as file:
        assert list(file.infos) == list(expected)
        for name, tensor in expected.items():
            assert torch.equal(file.read(name), tensor.detach())


@of_any_format
@pytest.mark.parametrize("kind", INERT)
def test_weights_beside_inert_objects_are_read(tmp_path, kind, is_archive):
    content = {"hyper_parameters": INERT[kind], "state_dict": weights(), "epoch": 3}
    check(save(content, tmp_path / "a.ckpt", is_archive), weights())
    mixed = {**weights(), "extra": INERT[kind]}
    with open_checkpoint(save(mixed, tmp_path / "b.ckpt", is_archive)) as file:
        assert {"extra"} == {*file.skipped, *file.infos} - {*weights()}


@of_any_format
@pytest.mark.parametrize("name", ["a.pth.tar", "a.tar", "a.model", "a", "a.dat", "a.th", "a.pkl"])
def test_files_of_torch_are_known_by_their_content(tmp_path, name, is_archive):
    path = save({"state_dict": weights()}, tmp_path / name, is_archive)
    assert kind_of(path) == "torch"
    check(path, weights())


@of_any_format
def test_views_parameters_and_numbers_of_all_kinds_are_those_of_torch(tmp_path, is_archive):
    flat = torch.arange(60.0)
    state = {
        "parameter": nn.Parameter(torch.randn(3, 2)),
        "view": flat[10:40].view(6, 5).T,
        "strided": flat[::7],
        "expanded": torch.ones(1, 3).expand(4, 3),
        "empty": torch.empty(0),
        "no rows": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        **{str(d): torch.ones(2, 2).to(d) for d in (torch.float64, torch.half, torch.int8)},
        "complex": torch.randn(2, 2, dtype=torch.complex64),
        "fp8": torch.randn(4, 4).to(torch.float8_e4m3fn),
        "tied": flat[:6],
    }
    path = save(state, tmp_path / "a.pt", is_archive)
    with contextlib.closing(TorchFile(path, None)) as file:
        for name, tensor in state.items():
            found = file.read(name)
            assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(found.to(torch.complex128), tensor.to(torch.complex128)), name


@of_any_format
@pytest.mark.filterwarnings("ignore")  # of torch, which will drop quantized tensors
def test_tensors_that_are_not_dense_are_listed(tmp_path, is_archive):
    state = {
        "w": torch.ones(2, 2),
        "sparse": torch.eye(3).to_sparse(),
        "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    }
    with open_checkpoint(save(state, tmp_path / "a.pt", is_archive)) as file:
        assert list(file.infos) == ["w"]
        assert "no dense tensor" in file.skipped["sparse"]
        assert file.skipped["quantized"] == "quantized, torch: packed integers"


def swapped(path, target):
    """Write a file of torch as a machine with the other order of bytes does."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as other:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("byteorder"):
                content = {b"little": b"big", b"big": b"little"}[content]
            elif "/data/" in name:
                content = np.frombuffer(content, np.float32).byteswap().tobytes()
            other.writestr(name, content)
    return target


def test_numbers_of_a_machine_with_the_other_order_of_bytes_are_read(tmp_path):
    state = {"a": torch.randn(5, 4), "b": torch.randn(3)}
    check(swapped(save(state, tmp_path / "a.pt"), tmp_path / "b.pt"), state)


def test_ordered_dict_of_python_2_is_read(tmp_path):
    """It pickled the entries as a list of lists."""

    class Old:
        def __init__(self, entries):
            self.entries = entries

        def __reduce__(self):
            return collections.OrderedDict, ([[name, value] for name, value in self.entries],)

    check(save(Old(weights().items()), tmp_path / "a.pth", False), weights())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ModuleList([nn.Linear(4, 2)])
        )
        self.head = nn.Linear(4, 4, bias=False)
        self.head.weight = self.body[0].weight
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.nothing = nn.Linear(4, 4, bias=False)
        self.register_parameter("none", None)


@of_any_format
@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: {"model": m, "epoch": 1}])
@pytest.mark.filterwarnings("ignore")  # of torch, which cannot find the source of a class of a test
def test_pickled_module_is_read_as_its_state_dict(tmp_path, is_archive, wrap):
    module = Tied()
    check(save(wrap(module), tmp_path / "a.pt", is_archive), module.state_dict())


def test_module_that_holds_itself_is_refused(tmp_path, refused):
    module = nn.Sequential(nn.Linear(2, 2))
    dict.__setitem__(module._modules, "1", module)
    torch.save(module, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "within each other without end")


def test_dicts_within_dicts_get_names_with_dots(tmp_path):
    nested = {"language": {"layers": {"w": torch.ones(2, 3)}, "embedding": {"v": torch.ones(4, 2)}}}
    path = save({"model": nested, "iteration": 5}, tmp_path / "a.pt")
    expected = {"language.layers.w": torch.ones(2, 3), "language.embedding.v": torch.ones(4, 2)}
    check(path, expected)
    check(path, {"w": torch.ones(2, 3)}, "model.language.layers")


def test_tensors_beside_the_weights_are_named_and_read_on_request(tmp_path):
    path, weights = tmp_path / "step.pt", {"0.weight": torch.ones(3, 2)}
    average = {"0.weight": torch.zeros(3, 2)}
    optimizer = {"state": {0: {"exp_avg": torch.ones(3, 2)}}, "param_groups": [{"lr": 0.1}]}
    kept = {"model": weights, "ema": {"shadow": average}, "optimizer": optimizer, "epoch": 3}
    kept |= {"0.weight": torch.ones(4, 4)}  # of the name of a weight
    torch.save(kept, path)
    with open_checkpoint(path) as tensors:
        assert list(tensors.infos) == ["0.weight"]
        assert list(tensors.skipped) == ["ema.*", "0.weight (beside model)"]
        assert "--key" in tensors.skipped["ema.*"]
    with open_checkpoint(path, "ema.shadow") as tensors:
        assert not tensors.read("0.weight").any()


def test_text_under_the_suffix_of_torch_is_told(tmp_path):
    (tmp_path / "a.pt").write_text("hello world this is text")
    with pytest.raises(SpecflowError, match=r"a\.pt: text, no weights; expected safetensors"):
        open_checkpoint(tmp_path / "a.pt").__enter__()


def test_what_went_wrong_inside_a_pickle_is_no_number(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"\x80\x02h\x65.")  # asks for an entry that was not put there
    with pytest.raises(SpecflowError, match="broken or truncated; expected a whole file"):
        open_checkpoint(tmp_path / "a.pt").__enter__()
