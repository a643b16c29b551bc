"""Which file of a folder is the checkpoint, and folders that name steps otherwise."""

import json

import pytest
import torch
from safetensors.torch import save_file

from specflow.checkpoints.files import FileCheckpoints, FilesParams, find_steps, given_file
from specflow.checkpoints.folders import chosen_in
from specflow.errors import SpecflowError

BESIDE = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "rng_state_0.pth")


def fill(folder, *names, step=0):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name.endswith(".json"):
            (folder / name).write_text(json.dumps({"weight_map": {}}))
        else:
            save = save_file if name.endswith(".safetensors") else torch.save
            save({"w": torch.full((2, 2), float(step))}, folder / name)
    return folder


CHOSEN = {
    "model.safetensors": "",
    "pytorch_model.bin": "",
    "model.safetensors ": "pytorch_model.bin",
    "model.safetensors  ": "model.fp16.safetensors",
    "model.safetensors   ": "consolidated.safetensors",
    "model.safetensors    ": "ema_model.safetensors",
    "model.safetensors     ": "pytorch_model.bin model.bf16.safetensors",
    "model.safetensors.index.json": "consolidated.safetensors",
    "adapter_model.safetensors": "",
    "consolidated.safetensors": "",
    "net.pth.tar": "",
    "mp_rank_00_model_states.pt": "",
}


@pytest.mark.parametrize("chosen", CHOSEN)
def test_weights_are_chosen_and_others_are_told(tmp_path, chosen):
    others = CHOSEN[chosen].split()
    fill(tmp_path, chosen.strip(), *others, *BESIDE, "zero_pp_rank_0_mp_rank_00_optim_states.pt")
    found = chosen_in(tmp_path)
    assert (found.file.name, set(found.others)) == (chosen.strip(), set(others))


def test_shards_of_an_index_are_no_other_weights(tmp_path):
    fill(tmp_path, "model.safetensors.index.json", "a.safetensors", "pytorch_model.bin")
    assert chosen_in(tmp_path).others == ("pytorch_model.bin",)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (
            ("a.pt", "b.pt"),
            r"has a.pt, b.pt; expected one checkpoint: name the file, .* such as '.*/\*.pt'$",
        ),
        (("model.fp16.safetensors", "model.bf16.safetensors"), "expected one checkpoint: name the"),
        (("optimizer.pt",), "a folder without a checkpoint"),
        (("x-00001-of-00002.safetensors", "x-00002-of-00002.safetensors"), "expected its index"),
    ],
)
def test_open_choice_is_refused(tmp_path, names, match):
    with pytest.raises(SpecflowError, match=match):
        chosen_in(fill(tmp_path, *names))


def test_folder_of_folders_says_which_there_are(tmp_path):
    fill(tmp_path / "unet", "model.safetensors")
    with pytest.raises(SpecflowError, match="expected one in it, such as unet, or a pattern"):
        chosen_in(tmp_path)


def steps_in(root, *files):
    checkpoints = FileCheckpoints(FilesParams(files=files), root)
    found = {}
    for index, step in enumerate(checkpoints.steps):
        with checkpoints.open(index) as tensors:
            found[step.number] = tensors.read("w")[0, 0].item()
    return found


@pytest.fixture
def cache(tmp_path):
    """A network in the cache of the hub: links into blobs, and revisions by name."""
    root = tmp_path / "models--org--tiny"
    for step in (5, 10, 1000):
        blob, hash_ = f"{step:064x}", f"a{step:039x}"
        fill(root / "blobs", f"{blob}.safetensors", step=step)
        (root / "blobs" / f"{blob}.safetensors").rename(root / "blobs" / blob)
        (root / "snapshots" / hash_).mkdir(parents=True)
        (root / "snapshots" / hash_ / "model.safetensors").symlink_to(f"../../blobs/{blob}")
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / f"step{step}").write_text(hash_)
    (root / "refs" / "main").write_text(f"a{1000:039x}")
    return root


def test_named_revisions_in_the_cache_of_the_hub_are_steps(cache):
    expected = {5: 5, 10: 10, 1000: 1000}
    assert steps_in(cache.parent, cache.name) == expected
    assert steps_in(cache.parent, f"{cache.name}/snapshots/*") == expected
    assert steps_in(cache.parent, f"{cache.name}/snapshots/*/model.safetensors") == expected
    assert steps_in(cache.parent, f"{cache.name}/snapshots/a{10:039x}") == {10: 10}


def test_revision_without_a_number_is_left_out_and_that_is_said(cache):
    (cache / "snapshots" / "bbb").mkdir()
    (cache / "refs" / "main").write_text("bbb")
    found = find_steps(FilesParams(files=[cache.name]), cache.parent)
    assert [step.step for step in found.steps] == [5, 10, 1000]
    assert found.notes == (f"{cache}: revisions with a number are read, and not main",)


def test_one_revision_in_the_cache_is_read_without_a_name(cache):
    for ref in (cache / "refs").iterdir():
        ref.unlink()
    with pytest.raises(SpecflowError, match=r"expected one of snapshots/\*"):
        steps_in(cache.parent, cache.name)
    (cache / "refs" / "main").write_text(f"a{5:039x}")
    for snapshot in (cache / "snapshots").iterdir():
        if snapshot.name != f"a{5:039x}":
            (snapshot / "model.safetensors").unlink()
            snapshot.rmdir()
    assert steps_in(cache.parent, cache.name) == {0: 5}


@pytest.mark.parametrize("hostile", ["../../other", "/etc", "..", "absent", "x" * 10_000, "\0"])
def test_latest_step_of_deepspeed_is_read(tmp_path, hostile):
    for step in (5, 10):
        fill(tmp_path / "run" / f"global_step{step}", "mp_rank_00_model_states.pt", step=step)
    (tmp_path / "run" / "latest").write_text("global_step10\n")
    assert steps_in(tmp_path, "run") == {10: 10}
    assert steps_in(tmp_path, "run/global_step*") == {5: 5, 10: 10}
    (tmp_path / "run" / "latest").write_text(hostile)
    with pytest.raises(SpecflowError, match="a folder without a checkpoint"):
        steps_in(tmp_path, "run")


def test_given_step_goes_before_the_path(tmp_path):
    fill(tmp_path, "a.pt", "b=c.pt", "7=x.pt", "epoch=3-step=4.pt")
    assert given_file("100=a.pt", tmp_path) == {"step": 100, "path": "a.pt"}
    assert given_file("3=b=c.pt", tmp_path) == {"step": 3, "path": "b=c.pt"}
    assert given_file("5=7=x.pt", tmp_path) == {"step": 5, "path": "7=x.pt"}
    for path in ("7=x.pt", "epoch=3-step=4.pt", "b=c.pt", "7=*.pt", "a.pt"):
        assert given_file(path, tmp_path) == path


def test_weights_that_are_not_read_are_noted_once(tmp_path):
    for step in (1, 2):
        fill(tmp_path / f"checkpoint-{step}", "model.safetensors", "pytorch_model.bin", *BESIDE)
    (note,) = find_steps(FilesParams(files=["checkpoint-*"]), tmp_path).notes
    assert note.endswith("checkpoint-1: model.safetensors is read, and not pytorch_model.bin")
