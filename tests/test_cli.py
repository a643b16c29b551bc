import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import specflow
from specflow import repro
from specflow.cli import main
from specflow.config.schema import schema_text

PRESETS = Path(__file__).parents[1] / "presets"
SOURCE = Path(specflow.__file__).parents[1]


def test_plan_reads_params_yaml_of_the_working_folder(workplace, capsys):
    shutil.copy(PRESETS / "tiny.yaml", "params.yaml")
    main(["plan"])
    by_default = capsys.readouterr().out
    main(["plan", str(PRESETS / "tiny.yaml")])
    assert capsys.readouterr().out == by_default
    assert "digits_vgg" in by_default


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "params.yaml has 1 error:\n  there is no such file"),
        ("seeds: [0]\n", "tasks: missing; expected a value"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_plan_of_a_faulty_file_is_an_error_without_traceback(workplace, content, expected):
    if content is not None:
        Path("params.yaml").write_text(content)
    command = [sys.executable, "-m", "specflow", "plan"]
    result = subprocess.run(
        command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: params.yaml")
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_plan_of_a_folder_is_an_error(workplace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "."])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: . has 1 error:\n  cannot be read: Is a directory\n"


def test_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plant"])
    assert ended.value.code == 2
    assert "invalid choice: 'plant'" in capsys.readouterr().err


def test_scorecard_is_printed_in_markdown(workplace, capsys):
    finding = {
        "value": 0.9,
        "low": 0.85,
        "high": 0.95,
        "num_units": 3,
        "unit": "seeds",
        "verdict": "holds",
    }
    claim = {"claim": "it falls", "statistic": "share", "holds_when": "> 0.8"}
    Path("claims.json").write_text(json.dumps({"a": claim | {"subjects": {"run": finding}}}))
    main(["scorecard", "claims.json"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| claim |")
    assert lines[2].startswith("| it falls | share (seeds) | > 0.8 | 1 ✓ | run: 0.9 [0.85, 0.95] ✓")


def test_missing_scorecard_is_an_error(workplace, capsys):
    with pytest.raises(SystemExit):
        main(["scorecard"])
    assert "there is no scorecard results/claims.json" in capsys.readouterr().err


def test_schema_is_printed_or_written(workplace, capsys):
    main(["schema"])
    assert capsys.readouterr().out == schema_text()
    main(["schema", "-o", "schema.json"])
    assert Path("schema.json").read_text() == schema_text()


def test_repro_passes_targets_and_jobs(monkeypatch):
    calls = []
    monkeypatch.setattr(repro, "repro", lambda *arguments: calls.append(arguments))
    main(["repro"])
    main(["repro", "-j", "3", "train", "figures"])
    assert calls == [([], None), (["train", "figures"], 3)]


def test_repro_outside_of_a_project_is_an_error(workplace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["repro"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: there is no dvc.yaml in the working folder\n"
    assert list(workplace.iterdir()) == []


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_number_of_jobs_is_checked(number, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["repro", f"--jobs={number}"])
    assert ended.value.code == 2
    assert f"got '{number}'; expected a whole number from 1" in capsys.readouterr().err


def test_interrupt_is_one_line_and_status_130(monkeypatch, capsys):
    def interrupt(targets, jobs):
        raise KeyboardInterrupt

    monkeypatch.setattr(repro, "repro", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["repro"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"


def test_module_is_the_command(capsys):
    command = [sys.executable, "-m", "specflow", "--version"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"specflow {specflow.__version__}\n"


def test_reader_that_stops_early_is_no_error(workplace):
    command = f"{sys.executable} -m specflow schema | true"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        command, shell=True, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
