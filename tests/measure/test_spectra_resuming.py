"""How the engine of spectra ends and resumes: the same bytes over kills, workers and batches."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.measure.made_up import Killed
from tests.measure.walks import Walk, layers, measure, walk

from specflow.checkpoints import stream
from specflow.errors import SpecflowError
from specflow.measure import packed, spectra, spectra_file
from specflow.scratch import Scratch


def outcome(folder, checkpoints, wiring, workers=1):
    return measure(folder, checkpoints, wiring, workers=workers).read_bytes()


@pytest.mark.parametrize("large", [False, True])
def test_workers_and_batches_change_no_byte(tmp_path, trained, request, large):
    steps, wiring = trained
    expected = outcome(tmp_path, Walk(steps), wiring)
    if large:
        request.getfixturevalue("batched")
    for workers in (1, 2, 3):
        assert outcome(tmp_path, Walk(steps), wiring, workers) == expected


def test_how_many_rows_are_made_packed_and_written_together_changes_no_byte(
    tmp_path, trained, monkeypatch
):
    steps, wiring = trained
    assert len(wiring.matrices) > 2
    expected = outcome(tmp_path / "all", Walk(steps), wiring)
    for module, name, few in ((spectra, "_ROWS", 1), (packed, "_TOGETHER", 2)):
        monkeypatch.setattr(module, name, few)
    monkeypatch.setattr(spectra_file, "_HELD", 1)
    assert outcome(tmp_path / "few", Walk(steps), wiring) == expected


@pytest.mark.parametrize(
    ("large", "survived"), [(0, n) for n in range(4)] + [(1, n) for n in range(16)]
)
def test_killed_measurement_ends_with_the_same_bytes_and_loses_one_step_at_most(
    tmp_path, trained, request, monkeypatch, large, survived
):
    steps, wiring = trained
    expected = outcome(tmp_path, Walk(steps), wiring)
    if large:
        request.getfixturevalue("batched")
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
    assert outcome(tmp_path, checkpoints, wiring, workers=2 - large) == expected
    saved.remove("killed")
    assert len(saved) == len(set(saved)) == (16 if large else 4)
    finished = len([name for name in saved[:survived] if name.startswith("step")])
    assert len(checkpoints.opened) <= 4 - finished + (0 if large else 2)
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
from tests.measure.walks import Walk, layers, measure, walk
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
