"""How the engine of spectra ends and resumes: the same bytes over kills, workers and batches."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
import torch
from tests.measure.made_up import Killed
from tests.measure.walks import SETTINGS, Walk, layers, measure, network, walk

from specflow.checkpoints import stream
from specflow.errors import SpecflowError
from specflow.measure import spectra_file
from specflow.measure import steps as steps_module
from specflow.measure.settings import Family
from specflow.measure.steps import step_name
from specflow.scratch import Scratch


def outcome(folder, checkpoints, wiring, workers=1, **options):
    return measure(folder, checkpoints, wiring, workers=workers, **options).read_bytes()


@pytest.mark.parametrize("large", [False, True])
def test_workers_and_batches_change_no_byte(tmp_path, trained, request, large):
    steps, wiring = trained
    expected = outcome(tmp_path, Walk(steps), wiring)
    if large:
        request.getfixturevalue("batched")
    for workers in (1, 2, 3):
        assert outcome(tmp_path, Walk(steps), wiring, workers) == expected


@pytest.mark.parametrize("together", [1, 2, 3, 7])
def test_how_many_are_decomposed_kept_and_written_together_changes_no_byte(
    tmp_path, monkeypatch, together
):
    """Parts end among matrices, between these and pairs, and among pairs."""
    own = network("transformer")
    wiring, steps = own.wiring, walk(own.state_dict(), 3)
    more = SETTINGS.model_copy(update={"more": get_args(Family)})
    expected = outcome(tmp_path / "all", Walk(steps), wiring, settings=more)
    assert len(wiring.matrices) > 7
    assert len(wiring.pairs) > 7
    monkeypatch.setattr(steps_module, "_ROWS", together)
    monkeypatch.setattr(stream, "MOST", 3)
    monkeypatch.setattr(spectra_file, "_HELD", 5000)
    assert outcome(tmp_path / "few", Walk(steps), wiring, settings=more) == expected


# How many parts are saved of three matrices, two pairs and four steps, decompositions with them.
SAVED = {"small": 4, "large": 16, "many": 20}


@pytest.mark.parametrize(
    ("kind", "survived"), [(kind, n) for kind, count in SAVED.items() for n in range(count)]
)
def test_killed_measurement_ends_with_the_same_bytes_and_loses_one_step_at_most(
    tmp_path, trained, request, monkeypatch, kind, survived
):
    steps, wiring = trained
    expected = outcome(tmp_path, Walk(steps), wiring)
    if kind == "large":
        request.getfixturevalue("batched")
    if kind == "many":
        monkeypatch.setattr(steps_module, "_ROWS", 2)
        monkeypatch.setattr(stream, "MOST", 2)
    save, saved = Scratch.save, []

    def save_then_die(self, name, content):
        if len(saved) == survived:
            saved.append("killed")
            raise Killed
        save(self, name, content)
        saved.append(name)

    monkeypatch.setattr(Scratch, "save", save_then_die)
    with pytest.raises(Killed):
        outcome(tmp_path, Walk(steps), wiring)
    checkpoints = Walk(steps)
    workers = 1 if kind == "large" else 2
    assert outcome(tmp_path, checkpoints, wiring, workers=workers) == expected
    saved.remove("killed")
    assert len(saved) == len(set(saved)) == SAVED[kind]
    finished = len({*saved[:survived]} & {step_name(index) for index in range(4)})
    assert len(checkpoints.opened) <= 4 - finished + (2 if kind == "small" else 0)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.usefixtures("batched")
def test_other_number_of_workers_resumes_with_other_batches(tmp_path, monkeypatch):
    state, wiring = layers(8, 8, 8, 8, 8)
    steps = walk(state, 3)
    expected = outcome(tmp_path, Walk(steps), wiring)
    reported = []

    def die(done):
        reported.append(done)
        if len(reported) == 2:
            raise Killed

    with pytest.raises(Killed):
        measure(tmp_path, Walk(steps), wiring, report=die)
    monkeypatch.setattr(stream, "_EACH_WORKER", 8 * 8 * 4)
    assert outcome(tmp_path, Walk(steps), wiring, workers=2) == expected


PROGRAM = """
import sys
from pathlib import Path
from tests.measure.made_up import Killed
from tests.measure.walks import SETTINGS, Walk, layers, measure, network, walk
state, wiring = layers(120, 150, 130)
measure(Path(sys.argv[1]), Walk(walk(state, 40)), wiring)
"""


@pytest.mark.slow
def test_process_that_is_killed_at_any_moment_ends_with_the_same_bytes(tmp_path):
    def start(folder):
        return subprocess.Popen([sys.executable, "-c", PROGRAM, folder], cwd=Path.cwd())

    scratch, (state, wiring) = tmp_path / "scratch", layers(120, 150, 130)
    expected = outcome(tmp_path / "whole", Walk(walk(state, 40)), wiring)
    kills, chance = 0, random.Random(0)
    while not (tmp_path / "spectra.h5").exists():
        process = start(tmp_path)
        while process.poll() is None and not any(scratch.glob("step*")):
            time.sleep(0.01)
        time.sleep(0.5 * chance.random())
        if process.poll() is None and kills < 2:
            process.kill()
            kills += 1
        process.wait()
    assert kills > 0
    assert (tmp_path / "spectra.h5").read_bytes() == expected


def test_full_disk_is_an_error_of_one_line_and_leaves_what_is_finished(
    tmp_path, trained, monkeypatch
):
    steps, wiring = trained
    save, calls = torch.save, []

    def full(content, file):
        calls.append(file)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SpecflowError, match=r"cannot write .*No space left on device"):
        measure(tmp_path, Walk(steps), wiring)
    assert sorted(p.name for p in (tmp_path / "scratch").iterdir()) == ["step000000", "step000001"]
