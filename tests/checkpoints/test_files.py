"""Which files a training's steps lie in, the step of each, and reading them."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.checkpoints import trajectories

from specflow.checkpoints.files import FileCheckpoints, FilesParams, StepFile, find_steps
from specflow.errors import SpecflowError

WEIGHTS = {"w": np.ones((2, 2), dtype=np.float32)}


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save = torch.save if path.suffix == ".pt" else save_file
        save({"w": torch.ones(2, 2)}, path)


def params(*files, **more):
    return FilesParams.model_validate({"files": files} | more)


def steps_of(root, *files, **more):
    found = find_steps(params(*files, **more), root).steps
    return {step.path.relative_to(root).as_posix(): step.step for step in found}


def refused(match, root, *files, **more):
    with pytest.raises(SpecflowError, match=match):
        find_steps(params(*files, **more), root)


def test_steps_are_sorted_as_numbers(tmp_path):
    touch(tmp_path, "step1000.pt", "step200.pt", "step0.pt")
    found = find_steps(params("step*.pt"), tmp_path).steps
    assert [step.step for step in found] == [0, 200, 1000]
    assert found[0] == StepFile(0, tmp_path / "step0.pt", None)


def test_step_is_the_group_of_the_regular_expression(tmp_path):
    touch(tmp_path, "v2/epoch3-step10.pt", "v2/epoch4-step20.pt")
    found = steps_of(tmp_path, "v2/*.pt", step_from=r"step(\d+)")
    assert found == {"v2/epoch3-step10.pt": 10, "v2/epoch4-step20.pt": 20}


def test_step_is_the_one_number_that_differs(tmp_path):
    touch(tmp_path, "model-7b/step10/model.safetensors", "model-7b/step9/model.safetensors")
    assert list(steps_of(tmp_path, "model-7b/*").values()) == [9, 10]


def test_names_without_numbers_are_numbered_as_given(tmp_path):
    touch(tmp_path, "young.pt", "old.pt")
    assert steps_of(tmp_path, "young.pt", "old.pt") == {"young.pt": 0, "old.pt": 1}


def test_given_steps_stand(tmp_path):
    touch(tmp_path, "final.pt", "step10.pt")
    files = [{"path": "final.pt", "step": 99}, "step*.pt"]
    found = steps_of(tmp_path, *files, step_from=r"(\d+)")
    assert found == {"step10.pt": 10, "final.pt": 99}


@pytest.mark.parametrize("pattern", ["a/model[1].pt", "*/*.pt"])
def test_absolute_paths_and_names_with_brackets_are_read(tmp_path, pattern):
    touch(tmp_path, "a/model[1].pt")
    (found,) = find_steps(params(f"{tmp_path}/{pattern}"), tmp_path / "b").steps
    assert found.path == tmp_path / "a" / "model[1].pt"


def test_trajectory_gives_all_kept_steps_or_the_one_given(tmp_path):
    path = trajectories.write(tmp_path / "trajectory.h5", [0, 5, 20], WEIGHTS)
    found = find_steps(params("trajectory.h5"), tmp_path).steps
    assert found == tuple(StepFile(step, path, index) for index, step in enumerate((0, 5, 20)))
    given = {"path": "trajectory.h5", "step": 5}
    assert find_steps(params(given), tmp_path).steps == (StepFile(5, path, 1),)
    expected = r"step 6 was not kept; expected one of \[0, 5, 20\]"
    refused(expected, tmp_path, given | {"step": 6})


def test_folder_of_a_checkpoint_is_its_file(tmp_path):
    touch(tmp_path, "one/model.safetensors", "two/a.safetensors", "two/b.safetensors")
    (tmp_path / "two" / "model.safetensors.index.json").write_text("{}")
    (tmp_path / "one" / "optimizer.pt").write_bytes(b"")
    assert list(steps_of(tmp_path, "one")) == ["one/model.safetensors"]
    assert list(steps_of(tmp_path, "two")) == ["two/model.safetensors.index.json"]


@pytest.mark.parametrize(
    ("files", "pattern", "step_from", "match"),
    [
        (("step10.pt", "best.pt"), "*", None, r"expected step_from \(--step-from\), or the step"),
        (("two/a.pt", "two/b.pt"), "two", None, "two: has a.pt, b.pt; expected one checkpoint"),
        ((), ".", None, "a folder without a checkpoint; expected one in it"),
        (  # shards do not pass for steps
            ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
            "*",
            None,
            "model-00001-of-00002.safetensors: a shard of one checkpoint .*; expected its index",
        ),
        ((), "*.pt", None, r"'\*.pt' matches nothing in"),
        ((f"step{2**63}.pt", "step1.pt"), "*", None, f"step {2**63}; expected at most {2**63 - 1}"),
        (
            ("a/step1.pt", "b/step1.pt"),
            "*/*.pt",
            r"step(\d+)",
            r"a/step1.pt, .*b/step1.pt: both are step 1; expected one file a step",
        ),
        (("step1.pt",), "*", r"epoch(\d+)", "step1.pt: step_from .*not match.*a whole number"),
        (("step1.pt",), "*", "(step)", "step1.pt: step_from .*gives 'step'.*a whole number"),
        (("step1.pt",), "*", r"x(\d)?|step", "step1.pt: step_from .*gives None.*a whole number"),
    ],
)
def test_what_is_no_step_is_refused(tmp_path, files, pattern, step_from, match):
    touch(tmp_path, *files)
    refused(match, tmp_path, pattern, step_from=step_from)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step1000.pt", 1000),
        ("checkpoint-500/model.safetensors", 500),
        ("run2/global_step_00030/model.pt", 30),
        ("llama-7b/model.safetensors", 0),
        ("epoch=3-step=1200.ckpt", 1200),
    ],
)
def test_a_single_checkpoint_is_of_the_step_that_its_name_says(tmp_path, name, step):
    touch(tmp_path, name)
    assert [one.step for one in find_steps(params(name), tmp_path).steps] == [step]


def test_file_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("a note about nothing")
    refused("notes.txt: text, no weights; expected safetensors", tmp_path, "notes.txt")


@pytest.fixture
def folder(tmp_path):
    for step in (0, 100):
        torch.save({"w": torch.full((2, 2), float(step))}, tmp_path / f"step{step}.pt")
    return tmp_path


def test_steps_of_all_kinds_stand_side_by_side(folder):
    path = trajectories.write(folder / "trajectory.h5", [5, 20], WEIGHTS)
    checkpoints = FileCheckpoints(params("step*.pt", path.name), folder)
    assert [step.number for step in checkpoints.steps] == [0, 5, 20, 100]
    assert [step.epoch for step in checkpoints.steps] == [None, 1, 4, None]
    assert [step.place for step in checkpoints.steps[:2]] == [str(folder / "step0.pt"), str(path)]
    for index, value in enumerate((0, 5, 20, 100)):
        with checkpoints.open(index) as tensors:
            assert torch.equal(tensors.read("w"), torch.full((2, 2), float(value)))
    assert checkpoints.structure({}).layers["w"].inputs_first


def test_key_leads_to_the_weights(folder):
    torch.save({"a": {"w": torch.ones(1, 1)}, "b": 2}, folder / "last.pt")
    with FileCheckpoints(params("last.pt", key="a"), folder).open(0) as tensors:
        assert list(tensors.infos) == ["w"]


def test_fingerprint_is_that_of_the_files(folder):
    def fingerprint(*files, **more):
        return FileCheckpoints(params(*files, **more), folder).fingerprint()

    first = fingerprint("step*.pt")
    assert fingerprint("step*.pt") == first
    assert fingerprint("step0.pt") != first
    assert fingerprint("step*.pt", key="a") != first
    os.utime(folder / "step0.pt", ns=(1, 1))
    assert fingerprint("step*.pt") != first


def test_names_of_a_trajectory_are_checked_too(tmp_path):
    path = trajectories.write(tmp_path / "t.h5", [0], {"a\nb": np.ones((2, 2), np.float32)})
    with pytest.raises(SpecflowError, match="which holds characters that cannot be printed"):
        FileCheckpoints(params(path.name), tmp_path)


def test_fingerprint_changes_with_what_tells_of_the_weights(folder):
    checkpoints = FileCheckpoints(params("step0.pt"), folder)
    before = checkpoints.fingerprint()
    for name in ("config.json", "adapter_config.json"):
        (folder / name).write_text("{}")
        assert checkpoints.fingerprint() != before
        before = checkpoints.fingerprint()
