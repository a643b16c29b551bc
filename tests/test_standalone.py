"""Checkpoints from the command line and from Python, without DVC."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout
from specflow.params.tasks import SpectraParams
from specflow.standalone import suite_name
from specflow.suite_results import SUITE
from specflow.suites.partial import Partial
from specflow.training.members import Member, train_members
from specflow.trajectory import Checkpoint, Origin, write_trajectory
from tests.suites.made_up_suites import save_steps, trained

import specflow
from specflow import paths
from specflow.__main__ import main
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of

SOURCE = Path(specflow.__file__).parents[1]


def ended_with(*arguments):
    try:
        main(arguments)
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.fixture
def folder(workplace):
    save_steps(workplace / "run", range(0, 80, 10), trained(8))
    return workplace / "run"


def test_python_call_gives_a_row_for_each_step_and_matrix(folder):
    table = specflow.analyze(sorted(folder.glob("*.pt")))
    assert len(table) == 8 * 2
    weight = trained(8)[3]["layers.1.weight"].double().numpy()
    S = np.linalg.svd(weight, compute_uv=False)
    row = table.where(step=30, matrix="layers.1")
    assert row.numbers("stable_rank")[0] == pytest.approx((S**2).sum() / S[0] ** 2, rel=1e-4)
    assert row.numbers("log_norm")[0] == pytest.approx(np.log10((S**2).sum()), rel=1e-4)
    assert table.where(step=70).numbers("agreement_score") == pytest.approx([1, 1])
    assert sorted(path.name for path in folder.parent.iterdir()) == ["run"]


def test_python_call_takes_a_pattern_and_keeps_what_is_asked_for(folder):
    table = specflow.analyze("run/*.pt", exclude=["layers.0*"], output="out")
    assert table.distinct("matrix") == ["layers.1"]
    assert Path("out/index.html").is_file()


def test_inputs_come_first_where_that_is_said(folder):
    weight = torch.randn(4, 6, 3, 3)
    save_steps(folder, [0], [{"up.weight": weight}])
    expected = np.linalg.norm(weight.transpose(0, 1).reshape(6, -1), 2)
    (norm,) = specflow.analyze("run/step0.pt", transposed=["up"]).numbers("spectral_norm")
    assert norm == pytest.approx(expected, rel=1e-4)
    (other,) = specflow.analyze("run/step0.pt").numbers("spectral_norm")
    assert other != pytest.approx(expected, rel=1e-3)
    assert ended_with("analyze", "run/step0.pt", "--transposed", "up", "-o", "out") == 0
    with open_file(Path("out/suite.h5"), SUITE) as file:
        assert file["matrices/0"].attrs["rows"] == 6
    assert ended_with("audit", "run/step0.pt", "--transposed", "down") == 1


def test_trajectory_of_a_unet_has_the_ranks_that_are_measured_of_it(diffusion_run):
    path, target = paths.trajectory("images", 0), paths.spectra("images", 0)
    train_members([Member("m", diffusion_run, 0, 0, path, diffusion_run.kept_steps)], "train")
    wiring = wiring_of(diffusion_run.model, diffusion_run.dataset.shape)
    params = SpectraParams(diagonal_length=5, score_length=3, mass=0.9)
    measure_spectra(SpectraJob(path, target, wiring, params), lambda done: None, workers=1)
    table = specflow.analyze(path)
    assert sum(matrix.view.transposed for matrix in wiring.matrices) > 1
    with open_file(target, SPECTRA) as file:
        for name, group in file["matrices"].items():
            ranks = table.where(matrix=name.removesuffix(".weight")).numbers("effective_rank")
            assert ranks == pytest.approx(group["effective_rank"][:], rel=1e-4), name


def test_analyze_writes_tables_figures_and_a_page(folder, capsys):
    assert ended_with("analyze", "run/*.pt", "--step-from", r"step(\d+)", "-o", "My out") == 0
    assert capsys.readouterr().out == "page: My out/index.html\nno flags: 8 steps, 2 matrices\n"
    written = {path.name for path in Path("My out").iterdir()}
    assert written == {"audit.json", "suite.h5", "tables", "figures", "index.html"}
    page = Path("My out/index.html").read_text()
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert pictures
    assert all((Path("My out") / picture).is_file() for picture in pictures)
    assert "8 steps, 0 to 70; 2 matrices" in page
    assert "No flags" in page
    assert "layers.1.bias" in page


def test_partial_results_are_removed_while_no_one_else_may_write_there(folder, monkeypatch):
    remove, removed = Partial.remove, []

    def remove_if_locked(self):
        with pytest.raises(Timeout):
            FileLock(self.lock).acquire(timeout=0)
        removed.append(self.folder.name)
        remove(self)

    monkeypatch.setattr(Partial, "remove", remove_if_locked)
    assert ended_with("analyze", "run/*.pt", "-o", "out") == 0
    assert removed[-1] == ".partial"
    assert sorted(path.name for path in Path("out").glob(".*")) == []


def test_audit_names_the_steps_and_ends_with_status_3(folder, capsys):
    weights = trained(8)
    weights[2], weights[5] = weights[5], weights[2]
    save_steps(folder, range(0, 80, 10), weights)
    assert ended_with("audit", "run/*.pt") == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": all: ")[0] for line in lines] == [
        "step 20: out_of_order",
        "step 50: out_of_order",
    ]
    assert "fits in the place of step 50; distance to step" in lines[0]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["run"]
    assert ended_with("analyze", "run/*.pt", "-o", "out") == 3
    page = Path("out/index.html").read_text()
    assert "<td>out of order</td>" in page


def test_audit_of_sound_steps_ends_with_status_0(folder, capsys):
    assert ended_with("audit", *map(str, folder.glob("*.pt"))) == 0
    assert capsys.readouterr().out == "no flags: 8 steps, 2 matrices\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent*.pt"], "'absent*.pt' matches nothing"),
        (["run/*.pt", "--layout", "none_such"], "layout: got 'none_such'; expected"),
        (["run/*.pt", "--step-from", "step"], "expected one group for the step"),
        (["run/*.pt", "--key", "model"], "model"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_writes_nothing(folder, arguments, message):
    for command in (["audit"], ["analyze", "-o", "out"]):
        done = subprocess.run(
            [sys.executable, "-m", "specflow", *command, *arguments],
            env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
        assert not Path("out").exists()


@pytest.mark.parametrize("command", ["audit", "analyze"])
def test_help_tells_flags_from_errors(command, capsys):
    assert ended_with(command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "0 if the audit has no flags, 3 if it has, 1 on an error, 2 if" in text


def test_importing_specflow_imports_nothing_heavy():
    program = "import sys, specflow\nprint({'torch', 'numpy', 'pydantic'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("folder_name", "expected"),
    [("out", "out"), ("My Out-2", "my_out_2"), ("2024", "suite_2024"), ("__", "suite")],
)
def test_suite_is_called_after_its_folder(folder_name, expected):
    assert suite_name(Path(folder_name)) == expected


def test_trajectory_of_another_version_is_read_and_that_is_said(workplace, capsys):
    origin = Origin('{"model": "old"}', 0, 0, 0, 0.0, "2", "cpu", "f")
    weights = {"up.weight": np.ones((4, 6), dtype=np.float32)}
    checkpoint = Checkpoint(0, weights, {}, {"train/loss": 0.0}, None)
    write_trajectory(Path("old.h5"), origin, [0], 5, [checkpoint])
    assert ended_with("audit", "old.h5") == 0
    assert "old.h5: its config is not of this version" in capsys.readouterr().err
