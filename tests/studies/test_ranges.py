"""Steps in ranges: the same bytes for any number of them, over kills, and the same errors."""

import os
import signal
from pathlib import Path

import pytest
from safetensors.torch import save_file
from tests.measure.walks import layers, walk

from specflow.errors import BrokenFileError, SpecflowError
from specflow.frames import write_table
from specflow.measure.settings import SpectraParams
from specflow.scratch import Scratch
from specflow.studies.checkpoints import ranges
from specflow.studies.checkpoints.analysis import analyze_checkpoints, read_checkpoints
from specflow.studies.checkpoints.ranges import measure_range, num_ranges
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.studies.checkpoints.study import checkpoint_tables
from specflow.studies.rows import SpectraRows

STEPS = 9
SETTINGS = SpectraParams(diagonal_length=5, score_length=3, mass=0.9, more=("changes",))


@pytest.fixture
def files(workplace):
    """Steps of a walk in files, the weights of layers of three shapes."""
    for step, state in enumerate(walk(layers(12, 20, 16, 8)[0], STEPS)):
        save_file(state, workplace / f"step{step}.safetensors")
    return workplace


def here(slots, function, jobs, **options):
    """Run jobs as the executor does, which names those that failed in one error."""
    failed = []
    for name, job in jobs.items():
        try:
            function(job, lambda done: None)
        except SpecflowError as error:
            failed.append(f"{name}: {error}")
    if failed:
        raise SpecflowError("; ".join(failed))


def analyze(output: Path, count: int, report=lambda done: None) -> dict[str, bytes]:
    """Analyse in as many ranges; return the bytes of every result."""
    output.mkdir(exist_ok=True)
    params = ReadingParams.model_validate({"files": ["step*.safetensors"]})
    checkpoints, wiring = read_checkpoints(params, Path())
    spectra, audit, rows = output / "spectra.h5", output / "audit.json", SpectraRows()
    analyze_checkpoints(
        checkpoints,
        wiring,
        SETTINGS,
        Scratch(output / "scratch"),
        report,
        workers=2,
        audit=audit,
        spectra=spectra,
        see=rows.add,
        ranges=count,
    )
    for name, table in checkpoint_tables("theirs", spectra, audit, rows).items():
        write_table(output / "tables" / f"{name}.csv", table)
    found = [path for path in output.rglob("*") if path.suffix in (".h5", ".json", ".csv")]
    return {str(path.relative_to(output)): path.read_bytes() for path in found}


def test_any_number_of_ranges_gives_the_same_bytes(files, monkeypatch):
    one, reports = analyze(files / "one", 1), []
    assert {"spectra.h5", "audit.json", "tables/spectra.csv"} <= one.keys()
    assert analyze(files / "processes", 3, reports.append) == one
    assert sum(reports) == 2 * STEPS
    monkeypatch.setattr(ranges, "run_in_slots", here)
    for count in (2, 7, STEPS, STEPS + 5):
        assert analyze(files / f"of{count}", count) == one


def killed_at_step_4(job, report):
    """Measure a range; the process that is to measure step 4 ends at once, with nothing said."""
    whole = report

    def killing(done):
        whole(done)
        if (job.scratch.folder / "step000004").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    measure_range(job, killing)


@pytest.mark.parametrize("count", [1, 4])
def test_range_that_is_killed_loses_nothing_that_it_finished(files, monkeypatch, count):
    one = analyze(files / "one", 1)
    with monkeypatch.context() as patched:
        patched.setattr(ranges, "measure_range", killed_at_step_4)
        with pytest.raises(SpecflowError, match="a worker was killed"):
            analyze(files / "killed", 2)
    kept = Scratch(files / "killed" / "scratch").names("step*")
    # the range of steps 4 to 8 has ended at its first, the other one at its last; then one is
    # measured here, to see whether it fails
    assert kept == [f"step{index:06d}" for index in (0, 1, 2, 3, 4, 5)]
    saved, save = [], Scratch.save
    monkeypatch.setattr(Scratch, "save", lambda self, *a: (saved.append(a[0]), save(self, *a)))
    monkeypatch.setattr(ranges, "run_in_slots", here)
    assert analyze(files / "killed", count) == one
    assert sorted(saved) == ["step000006", "step000007", "step000008"]


def test_what_ranges_left_whose_parent_was_killed_is_taken_up(files, monkeypatch):
    one = analyze(files / "one", 1)
    gather, calls = Scratch.gather, []

    def killed(self):
        calls.append(self)
        if len(calls) == 2:  # the ranges have ended
            raise KeyboardInterrupt
        gather(self)

    with monkeypatch.context() as patched:
        patched.setattr(ranges, "run_in_slots", here)
        patched.setattr(Scratch, "gather", killed)
        with pytest.raises(KeyboardInterrupt):
            analyze(files / "killed", 4)
    scratch = files / "killed" / "scratch"
    assert len([path for path in scratch.iterdir() if path.is_dir()]) == 4
    monkeypatch.setattr(Scratch, "save", None)
    assert analyze(files / "killed", 1) == one


def test_broken_file_in_a_range_is_the_error_of_one(files, monkeypatch):
    """A file that is damaged behind its header, which is found as its weights are read."""
    scan, said = ranges.scan_step, []

    def damaged(checkpoints, index, *given, **options):
        if index in (5, 7):
            raise BrokenFileError(Path(checkpoints.steps[index].place), "damaged")
        return scan(checkpoints, index, *given, **options)

    monkeypatch.setattr(
        "specflow.audit.flags.scan_steps",
        lambda c, t, s, r, w: [damaged(c, index, t, s, w) for index in range(STEPS)],
    )
    monkeypatch.setattr(ranges, "scan_step", damaged)
    monkeypatch.setattr(ranges, "run_in_slots", here)
    for count in (1, 2, 4):
        with pytest.raises(SpecflowError) as error:
            analyze(files / f"of{count}", count)
        said.append((type(error.value), str(error.value)))
    assert set(said) == {(BrokenFileError, "step5.safetensors: damaged")}


def test_few_steps_and_large_matrices_are_one_range():
    small, large = layers(8, 8)[1], layers(6000, 6000, 6000)[1]
    assert [num_ranges(steps, small, 2) for steps in (1, 99, 10_000)] == [1, 1, 2]
    assert num_ranges(10_000, small, 1) == 1
    assert num_ranges(10_000, large, 2) == 1
