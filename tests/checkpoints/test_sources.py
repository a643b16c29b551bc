import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.checkpoints import trajectories

from specflow.checkpoints.files import FilesParams, StepFile, find_steps
from specflow.errors import SpecflowError

WEIGHTS = {"w": np.ones((2, 2), dtype=np.float32)}


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".pt":
            torch.save({"w": torch.ones(2, 2)}, path)
        else:
            save_file({"w": torch.ones(2, 2)}, path)


def find(root, *files, **more):
    return find_steps(FilesParams.model_validate({"files": list(files)} | more), root)


def steps_of(root, *files, **more):
    found = find(root, *files, **more)
    return {step.path.relative_to(root).as_posix(): step.step for step in found}


def refused(match, root, *files, **more):
    with pytest.raises(SpecflowError, match=match):
        find(root, *files, **more)


def test_steps_are_sorted_as_numbers(tmp_path):
    touch(tmp_path, "step1000.pt", "step200.pt", "step0.pt")
    found = find(tmp_path, "step*.pt")
    assert [step.step for step in found] == [0, 200, 1000]
    assert found[0] == StepFile(0, tmp_path / "step0.pt", None)


def test_step_is_the_group_of_the_regular_expression(tmp_path):
    touch(tmp_path, "v2/epoch3-step10.pt", "v2/epoch4-step20.pt")
    found = steps_of(tmp_path, "v2/*.pt", step_from=r"step(\d+)")
    assert found == {"v2/epoch3-step10.pt": 10, "v2/epoch4-step20.pt": 20}


def test_step_is_the_one_number_that_differs(tmp_path):
    touch(tmp_path, "model-7b/step10/model.safetensors", "model-7b/step9/model.safetensors")
    assert list(steps_of(tmp_path, "model-7b/*").values()) == [9, 10]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("epoch3-step10.pt", "epoch4-step20.pt"), "do not differ in one number alone; expected"),
        (("step10.pt", "final.pt"), "expected step_from, or path and step of each"),
    ],
)
def test_names_that_differ_in_more_than_one_number_need_an_expression(tmp_path, names, match):
    touch(tmp_path, *names)
    refused(match, tmp_path, "*.pt")


def test_names_without_numbers_are_numbered_as_given(tmp_path):
    touch(tmp_path, "young.pt", "old.pt")
    assert steps_of(tmp_path, "young.pt", "old.pt") == {"young.pt": 0, "old.pt": 1}


def test_given_steps_stand(tmp_path):
    touch(tmp_path, "final.pt", "step10.pt")
    files = [{"path": "final.pt", "step": 99}, "step*.pt"]
    found = steps_of(tmp_path, *files, step_from=r"(\d+)")
    assert found == {"step10.pt": 10, "final.pt": 99}


def test_absolute_paths_and_names_with_brackets_are_read(tmp_path):
    touch(tmp_path, "a/model[1].pt")
    path = tmp_path / "a" / "model[1].pt"
    assert find(tmp_path / "b", str(path))[0].path == path
    assert find(tmp_path / "b", f"{tmp_path}/*/*.pt")[0].path == path


def test_trajectory_gives_all_kept_steps_or_the_one_given(tmp_path):
    trajectories.write(tmp_path / "trajectory.h5", [0, 5, 20], WEIGHTS)
    found = find(tmp_path, "trajectory.h5")
    assert [(step.step, step.index) for step in found] == [(0, 0), (5, 1), (20, 2)]
    given = {"path": "trajectory.h5", "step": 5}
    assert find(tmp_path, given)[0].index == 1
    expected = r"step 6 was not kept; expected one of \[0, 5, 20\]"
    refused(expected, tmp_path, given | {"step": 6})


def test_folder_of_a_checkpoint_is_its_file(tmp_path):
    touch(tmp_path, "one/model.safetensors", "two/a.safetensors", "two/b.safetensors")
    (tmp_path / "two" / "model.safetensors.index.json").write_text("{}")
    (tmp_path / "one" / "optimizer.pt").write_bytes(b"")
    one, two = (find(tmp_path, name)[0].path for name in ("one", "two"))
    assert one.name == "model.safetensors"
    assert two.name == "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("files", "pattern", "match"),
    [
        (("two/a.pt", "two/b.pt"), "two", "two: has a.pt, b.pt; expected one checkpoint"),
        ((), ".", "a folder without a checkpoint; expected one in it"),
        (  # shards do not pass for steps
            ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
            "*.safetensors",
            "model-00001-of-00002.safetensors: a shard; expected",
        ),
        ((), "*.pt", r"'\*.pt' matches nothing in"),
        (
            (f"step{2**63}.pt", "step1.pt"),
            "step*.pt",
            f"step {2**63}; expected at most {2**63 - 1}",
        ),
    ],
)
def test_what_is_no_step_is_refused(tmp_path, files, pattern, match):
    touch(tmp_path, *files)
    refused(match, tmp_path, pattern)


def test_two_files_of_one_step_are_refused(tmp_path):
    touch(tmp_path, "a/step1.pt", "b/step1.pt")
    match = r"a/step1.pt, .*b/step1.pt: both are step 1; expected one file a step"
    refused(match, tmp_path, "*/*.pt", step_from=r"step(\d+)")


@pytest.mark.parametrize(
    ("step_from", "match"),
    [
        (r"epoch(\d+)", "does not match"),
        (r"(step)", "gives 'step'"),
        (r"x(\d)?|step", "gives None"),
    ],
)
def test_expression_that_gives_no_step_is_refused(tmp_path, step_from, match):
    touch(tmp_path, "step1.pt")
    match = f"step1.pt: step_from .*{match}.*expected a whole number"
    refused(match, tmp_path, "*.pt", step_from=step_from)


def test_file_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("a note about nothing")
    refused("notes.txt: of no known kind; expected safetensors", tmp_path, "notes.txt")
