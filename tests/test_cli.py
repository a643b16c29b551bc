import shutil
from pathlib import Path

import pytest
from tests.commands import MODULE, ended_with, run

import specflow
from specflow import repro
from specflow.config.schema import schema_text
from specflow.json_files import write_json

TINY = Path(__file__).parents[1] / "presets" / "tiny.yaml"


def test_plan_reads_params_yaml_of_the_working_folder(workplace, capsys):
    shutil.copy(TINY, "params.yaml")
    ended_with("plan")
    by_default = capsys.readouterr().out
    ended_with("plan", str(TINY))
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
def test_plan_of_a_faulty_file_is_an_error(workplace, capsys, content, expected):
    if content is not None:
        Path("params.yaml").write_text(content)
    assert ended_with("plan") == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: params.yaml")
    assert expected in said.err
    assert said.out == ""


def test_plan_of_a_folder_is_an_error(workplace, capsys):
    assert ended_with("plan", ".") == 1
    assert capsys.readouterr().err == "error: . has 1 error:\n  cannot be read: Is a directory\n"


def test_scorecard_is_printed_in_markdown(workplace, capsys):
    finding = {"value": 0.9, "low": 0.85, "high": 0.95, "num_units": 3, "unit": "seeds"}
    claim = {"claim": "it falls", "statistic": "share", "holds_when": "> 0.8", "paper": "it does"}
    subjects = {"run": finding | {"verdict": "holds"}}
    write_json(Path("claims.json"), {"a": claim | {"subjects": subjects}})
    ended_with("scorecard", "claims.json")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| claim |")
    assert lines[2].startswith("| it falls | share (seeds) | > 0.8 | 1 ✓ | run: 0.9 [0.85, 0.95] ✓")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("scorecard", "results/claims.json: there is no such file"),
        ("repro", "there is no dvc.yaml in the working folder"),
    ],
)
def test_command_outside_of_a_project_is_an_error(workplace, capsys, command, message):
    assert ended_with(command) == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert list(workplace.iterdir()) == []


def test_schema_is_printed_or_written(workplace, capsys):
    ended_with("schema")
    assert capsys.readouterr().out == schema_text()
    ended_with("schema", "-o", "schema.json")
    assert Path("schema.json").read_text() == schema_text()


def test_repro_passes_targets_and_jobs(monkeypatch):
    calls = []
    monkeypatch.setattr(repro, "repro", lambda *arguments: calls.append(arguments))
    ended_with("repro")
    ended_with("repro", "-j", "3", "train", "figures")
    assert calls == [([], None), (["train", "figures"], 3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plant"], "invalid choice: 'plant'"),
        (["audit", "x", "--bogus"], "specflow audit: error: unrecognized arguments: --bogus"),
        *(
            (["repro", f"--jobs={number}"], f"got '{number}'; expected a whole number from 1")
            for number in ("0", "-1", "two")
        ),
    ],
)
def test_wrong_command_line_is_refused(capsys, arguments, message):
    assert ended_with(*arguments) == 2
    assert message in capsys.readouterr().err


def test_interrupt_is_one_line_and_status_130(monkeypatch, capsys):
    def interrupt(targets, jobs):
        raise KeyboardInterrupt

    monkeypatch.setattr(repro, "repro", interrupt)
    assert ended_with("repro") == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"


def test_module_is_the_command():
    done = run(f"{MODULE} --version")
    assert (done.returncode, done.stdout) == (0, f"specflow {specflow.__version__}\n")


def test_status_of_the_process_is_that_of_the_command(workplace):
    done = run(f"{MODULE} plan absent.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_reader_that_stops_early_is_no_error(workplace):
    done = run(f"{MODULE} schema | true")
    assert (done.returncode, done.stderr) == (0, "")
