"""SIGKILL at random moments, of anything that a run consists of."""

import os
import shutil
import signal
import subprocess
import time
from copy import copy

import psutil
import pytest
from ruamel.yaml import YAML
from tests.clones import TINY, Clone

pytestmark = pytest.mark.slow
TARGET = ("dvc", "repro", "train@grokking")
RESULTS = ("results/runs", "results/measures", "results/data")
MARK = "SPECFLOW_ATTACKED"


def clone(folder):
    """A project of one experiment, two seeds side by side, that trains for some seconds."""
    params = YAML(typ="safe").load(TINY)
    params["datasets"].pop("digits")
    params["experiments"] = {"grokking": params["experiments"]["grokking"]}
    params["tasks"]["addition"]["num_epochs"] = 1000
    params |= {kind: {} for kind in ("connections", "tickets", "samples", "checkpoints")}
    params["figures"]["problems"] = []
    project = Clone(folder, params)
    project.environment |= {"SPECFLOW_WORKERS": "2"}
    return project


def fresh(ready):
    """A copy in a place that is always the same."""
    project = copy(ready)
    project.folder = ready.folder.with_name("project")
    shutil.rmtree(project.folder, ignore_errors=True)
    shutil.copytree(ready.folder, project.folder, symlinks=True)
    project.environment |= {MARK: str(project.folder)}
    return project


def results_of(project):
    files = [path for name in RESULTS for path in (project.folder / name).rglob("*.h5")]
    return {path.relative_to(project.folder): path.read_bytes() for path in files}


def of(project):
    """All processes of a project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(project.folder):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def victim(dvc, rng):
    """DVC, the stage that runs, one of its workers, or nothing but the group of all of them."""
    processes = [psutil.Process(dvc.pid)]
    processes += processes[0].children() + processes[0].children(recursive=True)[-1:]
    return rng.choice([None, *processes])


def are_gone(processes, seconds=3):
    return all(left == [] for left in psutil.wait_procs(processes, seconds)[1:])


def test_kills_of_any_process_change_no_byte_and_leave_none(tmp_path, attacks):
    ready = clone(tmp_path / "ready")
    ready.run("dvc", "repro", "prepare@addition")
    project = fresh(ready)
    began = time.monotonic()
    project.run(*TARGET)
    duration, expected, lock = time.monotonic() - began, results_of(project), project.lock()
    assert len(expected) == 3
    project = fresh(ready)
    kills, rounds = 0, 0
    for rng in attacks(2):
        dvc = subprocess.Popen(
            TARGET,
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(rng.uniform(0.1, 0.9) * duration)
        if dvc.poll() is None:
            kills += 1
            chosen = victim(dvc, rng)
            if chosen is None:
                os.killpg(dvc.pid, signal.SIGKILL)
            else:
                chosen.kill()
        dvc.wait(60)  # it notes that a stage has failed
        assert are_gone(of(project))
        if rng.random() < 0.2 or dvc.returncode == 0:
            check_end(project, expected, lock)
            rounds += 1
            project = fresh(ready)
    check_end(project, expected, lock)
    print(f"{kills} kills in {rounds + 1} runs")
    assert kills


def check_end(project, expected, lock):
    project.run(*TARGET)
    assert results_of(project) == expected
    assert project.lock() == lock
