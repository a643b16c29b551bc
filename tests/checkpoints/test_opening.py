"""Kinds of files, names of tensors, and shards that an index names."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints.opening import open_checkpoint

BAD_NAMES = ["", ".", "..", "a//b", "/abs", "a/", "a/./b", "a/../b", "nul\0", "line\nbreak"]


def save_ones(path, *names):
    save = torch.save if path.suffix == ".pt" else save_file
    save({name: torch.ones(2, 2) for name in names}, path)
    return path


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_name_that_is_no_hdf5_path_is_refused_with_the_name(tmp_path, refused, name, kind):
    path = save_ones(tmp_path / f"model.{kind}", "fine", name)
    shown = re.escape(f"{path}: a tensor has the name {name!r}, which ")
    refused(path, f"{shown}.*expected a relative path of HDF5")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("a/b", "a/b/c"), r"the names 'a/b' and 'a/b/c'; expected none within"),
        (("a" * 70000,), r"has 70000 characters, here cut; expected at most 1000"),
        (("a" + "1" * 5000,), r"has 5001 characters, here cut; expected at most 1000"),
    ],
    ids=["one within another", "long", "long number"],
)
def test_names_that_results_cannot_have_are_refused(tmp_path, refused, names, match):
    refused(save_ones(tmp_path / "model.safetensors", *names), match)


def test_paths_of_hdf5_are_read_and_the_kind_is_told_without_a_suffix(tmp_path):
    names = {"a/b", "a/c", "layer.weight", "dense/kernel:0", "größe"}
    with open_checkpoint(save_ones(tmp_path / "blob", *names)) as file:
        assert set(file.infos) == names


SHARDS = {
    "model-00001-of-00002.safetensors": {"a.weight": torch.ones(2, 3)},
    "model-00002-of-00002.safetensors": {"b.weight": torch.full((3, 4), 2.0)},
}
WEIGHT_MAP = {name: shard for shard, tensors in SHARDS.items() for name in tensors}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for shard, tensors in SHARDS.items():
        save_file(tensors, folder / shard)
    return folder


def write_index(folder, weight_map=WEIGHT_MAP, name="model.safetensors.index.json"):
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return path


def test_tensors_of_all_shards_read_back(folder):
    with open_checkpoint(write_index(folder)) as file:
        assert list(file.infos) == ["a.weight", "b.weight"]
        for name in ("a.weight", "b.weight", "a.weight"):
            assert torch.equal(file.read(name), SHARDS[WEIGHT_MAP[name]][name])
        assert not file.skipped


def test_shards_of_torch_save_read_back(folder):
    torch.save({"a.weight": torch.ones(2, 3)}, folder / "one.bin")
    path = write_index(folder, {"a.weight": "one.bin"}, "pytorch_model.bin.index.json")
    with open_checkpoint(path) as file:
        assert torch.equal(file.read("a.weight"), torch.ones(2, 3))


def test_tensor_that_the_index_does_not_have_is_listed(folder):
    save_file({"a.weight": torch.ones(2, 3), "c": torch.ones(1, 1)}, folder / "one.safetensors")
    with open_checkpoint(write_index(folder, {"a.weight": "one.safetensors"})) as file:
        assert list(file.infos) == ["a.weight"]
        assert file.skipped == {"c": "in one.safetensors, where the index does not have it"}


def test_tensor_that_its_shard_does_not_have_is_refused(refused, folder):
    path = write_index(folder, WEIGHT_MAP | {"c.weight": "model-00001-of-00002.safetensors"})
    refused(path, r"'c.weight' is not in model-00001-of-00002.safetensors")


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "sub/../../secret.safetensors", "..", "{absolute}", "a\0b"]
)
def test_shard_outside_the_folder_is_refused(refused, folder, shard):
    secret = folder.parent / "secret.safetensors"
    shutil.copy(folder / "model-00001-of-00002.safetensors", secret)
    path = write_index(folder, {"a.weight": shard.replace("{absolute}", str(secret))})
    refused(path, r"index.json: the index names the shard .*expected a file within its folder")


def test_link_out_of_the_folder_is_refused(refused, folder):
    secret = folder.parent / "secret.safetensors"
    shutil.copy(folder / "model-00001-of-00002.safetensors", secret)
    (folder / "link.safetensors").symlink_to(secret)
    (folder / "up").symlink_to(folder.parent)
    for shard in ("link.safetensors", "up/secret.safetensors"):
        refused(write_index(folder, {"a.weight": shard}), "a link that leaves the folder")


def test_cache_of_links_is_read(folder, tmp_path):
    """The index and the shards are links to files that lie together elsewhere."""
    write_index(folder)
    snapshot = tmp_path / "snapshots"
    snapshot.mkdir()
    for file in folder.iterdir():
        (snapshot / file.name).symlink_to(file)
    with open_checkpoint(snapshot / "model.safetensors.index.json") as file:
        assert len(file.infos) == 2


def test_shard_that_is_missing_broken_or_an_index_is_refused(refused, folder):
    refused(
        write_index(folder, {"a": "none.safetensors"}), "'none.safetensors', which is not there"
    )
    (folder / "cut.safetensors").write_bytes(b"abc")
    refused(write_index(folder, {"a": "cut.safetensors"}), "cut.safetensors: broken or truncated")
    write_index(folder, name="other.index.json")
    refused(write_index(folder, {"a": "other.index.json"}), "a shard of kind index")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', "[" * 10**5, "\xff"]
)
def test_broken_index_is_refused(refused, folder, text):
    path = folder / "model.safetensors.index.json"
    path.write_bytes(text.encode("latin-1"))
    refused(path, r"index.json: .*expected \{\"weight_map\"")
