"""`specflow repro`, beside a serial `dvc repro`, on a project whose stages take no time."""

import json
import shutil
import signal
import time

import psutil
import pytest
from tests.toy_project import NAMES, Project, ended

from specflow import paths
from specflow.repro import _settings_of
from specflow.schedule import History

pytestmark = pytest.mark.slow
ALL = {"resolve", "collect"} | {f"{kind}@{name}" for kind in ("train", "measure") for name in NAMES}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project after its first whole run, two stages side by side."""
    project = Project(tmp_path_factory.mktemp("projects") / "finished")
    project.first_run = project.repro()
    return project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def changed(finished, tmp_path):
    """A copy of the finished project."""
    project = Project(tmp_path / "copy")
    shutil.rmtree(project.folder)
    shutil.copytree(finished.folder, project.folder)
    return project


def stages_of(project: Project) -> list[int]:
    """The processes of the stages that have said all that they say when they start."""
    words = [text.split(" ") for text in project.started().values()]
    return [int(process) for _, *rest in words for process in rest]


def await_(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def results_of(project: Project) -> dict[str, bytes]:
    folder = project.folder / "results"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_results_and_lock_are_those_of_a_serial_run(finished, project):
    project.serial()
    assert set(finished.first_run) == ALL
    assert finished.first_run[0] == "resolve"
    assert finished.first_run[-1] == "collect"
    assert results_of(finished) == results_of(project)
    assert finished.lock() == project.lock()


def test_nothing_to_do_runs_nothing_for_either(finished):
    before = finished.lock()
    output, _ = ended(finished.start(), status=0)
    assert output == "6 stages: nothing has changed\n"
    finished.serial()
    assert finished.lock() == before


def test_only_what_changed_runs_and_equal_bytes_end_it(changed):
    changed.set_params({"a": 2, "b": -2})  # train@a leaves the bytes that it left before
    ran = changed.repro()
    assert (ran[0], set(ran)) == ("resolve", {"resolve", "train@a", "train@b", "measure@b"})
    changed.set_params({"a": 2, "b": 1})
    output, _ = ended(changed.start(), status=0)
    assert "restored train@b" in output.splitlines()


def test_stages_run_side_by_side_and_share_the_cores(project):
    project.write("wait")
    process = project.start("train@a", "train@b")
    await_(lambda: len(project.started()) == 2)
    project.write("go")
    ended(process, status=0)
    assert {text.split()[0] for text in project.started().values()} == {"1"}


def test_a_stage_alone_has_all_cores(project):
    project.repro("train@a")
    assert project.started()["runs-a"].split()[0] == "2"


@pytest.mark.parametrize("failing", [("a",), ("a", "b")])
def test_failure_lets_others_finish_starts_none_and_is_named(project, finished, failing):
    project.write("wait")
    for name in failing:
        project.write(f"fail-{name}")
    process = project.start()
    said = [process.stdout.readline() for _ in range(1 + len(failing))]
    assert "train@a failed\n" in said
    project.write("go")
    _, errors = ended(process, status=1)
    assert set(project.started()) == {"runs-a", "runs-b"}
    for name in NAMES:
        is_named = f"error: {name} is out of order" in errors
        assert is_named == (f"end of .specflow/logs/train@{name}.log" in errors)
        assert is_named == (name in failing)
    assert "Traceback" not in errors
    if len(failing) == 1:
        (project.folder / "fail-a").unlink()
        assert set(project.repro()) == ALL - {"resolve", "train@b"}
        assert project.lock() == finished.lock()  # though the second stage was done before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_all_stages_and_the_same_command_resumes(project, finished, sent):
    project.write("wait")
    process = project.start()
    await_(lambda: len(stages_of(project)) == 2)
    process.send_signal(sent)
    _, errors = ended(process, status=130)
    assert errors.splitlines()[-1] == "interrupted; the same command resumes"
    assert "Traceback" not in errors
    assert not any(map(psutil.pid_exists, stages_of(project)))
    if sent == signal.SIGINT:
        project.write("go")
        project.repro()
        assert project.lock() == finished.lock()
        assert results_of(project) == results_of(finished)


def test_stages_end_soon_after_it_is_killed(project):
    project.write("wait")
    process = project.start()
    await_(lambda: len(stages_of(project)) == 2)
    process.kill()
    ended(process, status=-signal.SIGKILL)
    await_(lambda: not any(map(psutil.pid_exists, stages_of(project))))


def test_another_one_in_the_folder_is_refused(project):
    project.write("wait")
    process = project.start("train@a")
    await_(project.started)
    _, errors = ended(project.start(), status=1)
    assert errors == "error: another `specflow repro` is at work in this folder\n"
    project.write("go")
    ended(process, status=0)


def test_bad_params_run_nothing(changed):
    changed.write("params.yaml", "{}")
    output = ended(changed.start(), status=1)
    assert output == ("", "error: params.yaml: experiments: missing\n")


def test_what_a_stage_ran_with_is_remembered_with_its_seconds(finished):
    history = History.read(finished.folder / ".specflow" / "repro.json")
    assert set(history.seconds) == set(history.settings) == ALL
    assert history.devices == dict.fromkeys(ALL, "cpu")


def test_settings_are_remembered_without_hashes_of_code(workplace):
    paths.CONFIG.parent.mkdir()
    config = {
        "train": {"a": {"num_epochs": 2, "code": {"x.py": "1"}}},
        "collect": {"all": {"k": 1}},
    }
    paths.CONFIG.write_text(json.dumps(config))
    assert _settings_of("train@a") == {"num_epochs": 2}
    assert _settings_of("collect") == {"k": 1}
    assert _settings_of("resolve") == {}
