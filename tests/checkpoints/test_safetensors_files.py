import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints import formats
from specflow.checkpoints.base import TensorInfo
from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.mark.parametrize("dtype", FLOATS)
def test_tensors_read_back_in_their_own_dtype(tmp_path, dtype):
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    path = tmp_path / "model.safetensors"
    save_file({"layer.weight": weight, "layer.bias": torch.zeros(3)}, path)
    with open_checkpoint(path) as file:
        assert file.infos["layer.weight"] == TensorInfo((3, 5), dtype)
        assert torch.equal(file.read("layer.weight"), weight)
        assert not file.skipped


def test_order_is_that_of_numbers_by_value(tmp_path):
    names = ["layer.2", "layer.10", "layer.1", "a"]
    path = tmp_path / "model.safetensors"
    save_file({name: torch.zeros(2, 2) for name in names}, path)
    with open_checkpoint(path) as file:
        assert list(file.infos) == ["a", "layer.1", "layer.2", "layer.10"]


def test_tensor_does_not_depend_on_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.ones(4, 4)}, path)
    with open_checkpoint(path) as file:
        weight = file.read("w")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert torch.equal(weight, torch.ones(4, 4))


def test_dtype_that_torch_does_not_have_is_listed(raw_safetensors):
    path = raw_safetensors({"w": {"dtype": "F4", "shape": [2, 2], "data_offsets": [0, 2]}}, b"ab")
    with open_checkpoint(path) as file:
        assert file.skipped == {"w": "dtype F4: no floating point of torch"}


def test_kind_is_told_without_the_suffix(tmp_path):
    save_file({"w": torch.ones(1, 1)}, tmp_path / "blob")
    with open_checkpoint(tmp_path / "blob") as file:
        assert list(file.infos) == ["w"]


def entry(begin, end, shape=(2,)):
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}


HOSTILE = {
    "header of 2^60 bytes": ({"w": entry(0, 8)}, bytes(8), 2**60),
    "header of 99 MB": ({"w": entry(0, 8)}, bytes(8), 99_000_000),
    "truncated data": ({"w": entry(0, 8)}, bytes(4), None),
    "data beyond the tensors": ({"w": entry(0, 8)}, bytes(12), None),
    "overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12), None),
    "offsets out of range": ({"w": entry(0, 2**62)}, bytes(8), None),
    "negative offsets": ({"w": entry(-8, 0)}, bytes(8), None),
    "shape that overflows": ({"w": entry(0, 8, (2**40, 2**40))}, bytes(8), None),
    "header that is no JSON": (b"{]", b"", None),
    "unknown dtype": ({"w": entry(0, 8) | {"dtype": "F99"}}, bytes(8), None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_is_refused_in_one_line(raw_safetensors, refused, case):
    refused(raw_safetensors(*HOSTILE[case]), "raw.safetensors: broken or truncated")


@pytest.mark.parametrize("size", [0, 5, 8, 40, -1])
def test_file_cut_anywhere_is_refused(tmp_path, refused, size):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.ones(8, 8)}, path)
    path.write_bytes(path.read_bytes()[:size])
    refused(path, "broken or truncated")


def test_file_cut_after_it_was_opened_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.ones(8, 8)}, path)
    with open_checkpoint(path) as file:
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(SpecflowError, match="broken or truncated"):
            file.read("w")


def test_file_is_opened_once_and_mapped_anew_when_much_of_it_was_read(tmp_path, monkeypatch):
    opened = []
    opening = formats.safe_open
    monkeypatch.setattr(formats, "safe_open", lambda *a, **k: opened.append(a) or opening(*a, **k))
    state = {f"layer.{i}": torch.full((10, 10), float(i)) for i in range(7)}
    save_file(state, tmp_path / "model.safetensors")
    for limit, times in ((formats.MAPPED_BYTES, 1), (2 * 400, 3)):
        monkeypatch.setattr(formats, "MAPPED_BYTES", limit)
        opened.clear()
        with open_checkpoint(tmp_path / "model.safetensors") as file:
            for name, weight in state.items():
                assert torch.equal(file.read(name), weight)
        assert len(opened) == times
