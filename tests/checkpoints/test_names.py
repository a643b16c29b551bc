import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError

BAD = ["", ".", "..", "a//b", "/abs", "a/", "a/./b", "a/../b", "nul\0", "line\nbreak"]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_name_that_is_no_hdf5_path_is_refused_with_the_name(tmp_path, name, kind):
    path = tmp_path / f"model.{kind}"
    save = save_file if kind == "safetensors" else torch.save
    save({"fine": torch.ones(2, 2), name: torch.ones(2, 2)}, path)
    with pytest.raises(SpecflowError) as error:
        open_checkpoint(path).__enter__()
    assert f"{path}: a tensor has the name {name!r}, which" in str(error.value)
    assert "expected a relative path of HDF5" in str(error.value)
    assert "\n" not in str(error.value)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_name_within_another_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a/b": torch.ones(2, 2), "a/b/c": torch.ones(2, 2)}, path)
    with pytest.raises(SpecflowError, match=r"the names 'a/b' and 'a/b/c'; expected none within"):
        open_checkpoint(path).__enter__()


def test_paths_of_hdf5_are_read(tmp_path):
    names = {"a/b", "a/c", "layer.weight", "dense/kernel:0", "größe"}
    save_file({name: torch.ones(2, 2) for name in names}, tmp_path / "model.safetensors")
    with open_checkpoint(tmp_path / "model.safetensors") as file:
        assert set(file.infos) == names


@pytest.mark.parametrize("name", ["a" * 70000, "a" + "1" * 5000])
def test_name_that_is_too_long_for_results_is_refused(tmp_path, name):
    save_file({name: torch.ones(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(SpecflowError, match=r"has \d+ characters, here cut; expected at most 1000"):
        open_checkpoint(tmp_path / "model.safetensors").__enter__()
