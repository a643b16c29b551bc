import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from specflow.suites import SuiteError, SuiteStep, find_steps
from specflow.trajectory import Checkpoint, Origin, write_trajectory


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".pt":
            torch.save({"w": torch.ones(2, 2)}, path)
        else:
            save_file({"w": torch.ones(2, 2)}, path)


def trajectory(path, steps):
    weights = {"w": np.ones((2, 2), dtype=np.float32)}
    rows = [Checkpoint(step, weights, {}, {"train/loss": 0.0}, None) for step in steps]
    write_trajectory(path, Origin("{}", 0, 0, 0, 0.0, "2", "cpu", "f"), steps, 5, rows)


def steps_of(params, root):
    return {step.path.relative_to(root).as_posix(): step.step for step in find_steps(params, root)}


def test_steps_are_sorted_as_numbers(tmp_path, params):
    touch(tmp_path, "step1000.pt", "step200.pt", "step0.pt")
    found = find_steps(params(files=["step*.pt"]), tmp_path)
    assert [step.step for step in found] == [0, 200, 1000]
    assert found[0] == SuiteStep(0, tmp_path / "step0.pt", None)


def test_step_is_the_group_of_the_regular_expression(tmp_path, params):
    touch(tmp_path, "v2/epoch3-step10.pt", "v2/epoch4-step20.pt")
    found = steps_of(params(files=["v2/*.pt"], step_from=r"step(\d+)"), tmp_path)
    assert found == {"v2/epoch3-step10.pt": 10, "v2/epoch4-step20.pt": 20}


def test_step_is_the_one_number_that_differs(tmp_path, params):
    touch(tmp_path, "model-7b/step10/model.safetensors", "model-7b/step9/model.safetensors")
    found = steps_of(params(files=["model-7b/*"]), tmp_path)
    assert list(found.values()) == [9, 10]


def test_two_numbers_that_differ_need_an_expression(tmp_path, params):
    touch(tmp_path, "epoch3-step10.pt", "epoch4-step20.pt")
    with pytest.raises(SuiteError, match="names that do not differ in one number alone; expected"):
        find_steps(params(files=["*.pt"]), tmp_path)


def test_numbers_and_text_that_differ_need_an_expression(tmp_path, params):
    touch(tmp_path, "step10.pt", "final.pt")
    with pytest.raises(SuiteError, match="expected step_from, or path and step of each"):
        find_steps(params(files=["*.pt"]), tmp_path)


def test_names_without_numbers_are_numbered_as_given(tmp_path, params):
    touch(tmp_path, "young.pt", "old.pt")
    assert steps_of(params(files=["young.pt", "old.pt"]), tmp_path) == {"young.pt": 0, "old.pt": 1}


def test_given_steps_stand(tmp_path, params):
    touch(tmp_path, "final.pt", "step10.pt")
    files = [{"path": "final.pt", "step": 99}, "step*.pt"]
    found = steps_of(params(files=files, step_from=r"(\d+)"), tmp_path)
    assert found == {"step10.pt": 10, "final.pt": 99}


def test_absolute_paths_and_names_with_brackets_are_read(tmp_path, params):
    touch(tmp_path, "a/model[1].pt")
    path = tmp_path / "a" / "model[1].pt"
    assert find_steps(params(files=[str(path)]), tmp_path / "b")[0].path == path
    assert find_steps(params(files=[f"{tmp_path}/*/*.pt"]), tmp_path / "b")[0].path == path


def test_trajectory_gives_all_kept_steps(tmp_path, params):
    trajectory(tmp_path / "trajectory.h5", [0, 5, 20])
    found = find_steps(params(files=["trajectory.h5"]), tmp_path)
    assert [(step.step, step.index) for step in found] == [(0, 0), (5, 1), (20, 2)]


def test_given_step_of_a_trajectory_is_a_kept_one(tmp_path, params):
    trajectory(tmp_path / "trajectory.h5", [0, 5, 20])
    given = {"path": "trajectory.h5", "step": 5}
    assert find_steps(params(files=[given]), tmp_path)[0].index == 1
    with pytest.raises(SuiteError, match=r"step 6 was not kept; expected one of \[0, 5, 20\]"):
        find_steps(params(files=[given | {"step": 6}]), tmp_path)


def test_folder_of_a_checkpoint_is_its_file(tmp_path, params):
    touch(tmp_path, "one/model.safetensors", "two/a.safetensors", "two/b.safetensors")
    (tmp_path / "two" / "model.safetensors.index.json").write_text("{}")
    (tmp_path / "one" / "optimizer.pt").write_bytes(b"")
    one, two = (find_steps(params(files=[name]), tmp_path)[0].path for name in ("one", "two"))
    assert one.name == "model.safetensors"
    assert two.name == "model.safetensors.index.json"


def test_folder_with_several_checkpoints_or_none_is_refused(tmp_path, params):
    touch(tmp_path, "two/a.pt", "two/b.pt")
    (tmp_path / "none").mkdir()
    with pytest.raises(SuiteError, match=r"two: has a.pt, b.pt; expected one checkpoint"):
        find_steps(params(files=["two"]), tmp_path)
    with pytest.raises(SuiteError, match=r"none: a folder without a checkpoint"):
        find_steps(params(files=["none"]), tmp_path)


def test_shards_do_not_pass_for_steps(tmp_path, params):
    touch(tmp_path, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    with pytest.raises(SuiteError, match=r"model-00001-of-00002.safetensors: a shard; expected"):
        find_steps(params(files=["*.safetensors"]), tmp_path)


def test_two_files_of_one_step_are_refused(tmp_path, params):
    touch(tmp_path, "a/step1.pt", "b/step1.pt")
    with pytest.raises(SuiteError, match=r"a/step1.pt, .*b/step1.pt: both are step 1"):
        find_steps(params(files=["*/*.pt"], step_from=r"step(\d+)"), tmp_path)


@pytest.mark.parametrize(
    ("step_from", "match"),
    [
        (r"epoch(\d+)", "does not match"),
        (r"(step)", "gives 'step'"),
        (r"x(\d)?|step", "gives None"),
    ],
)
def test_expression_that_gives_no_step_is_refused(tmp_path, params, step_from, match):
    touch(tmp_path, "step1.pt")
    with pytest.raises(SuiteError, match=f"step1.pt: step_from .*{match}.*expected a whole number"):
        find_steps(params(files=["*.pt"], step_from=step_from), tmp_path)


def test_pattern_that_matches_nothing_is_refused(tmp_path, params):
    with pytest.raises(SuiteError, match=r"'\*.pt' matches nothing"):
        find_steps(params(files=["*.pt"]), tmp_path)


def test_file_of_no_known_kind_is_refused(tmp_path, params):
    (tmp_path / "notes.txt").write_text("a note about nothing")
    with pytest.raises(SuiteError, match=r"notes.txt: of no known kind; expected safetensors"):
        find_steps(params(files=["notes.txt"]), tmp_path)


def test_step_of_more_than_64_bits_is_refused(tmp_path, params):
    touch(tmp_path, f"step{2**63}.pt", "step1.pt")
    with pytest.raises(SuiteError, match=f"step {2**63}; expected at most {2**63 - 1}"):
        find_steps(params(files=["step*.pt"]), tmp_path)
