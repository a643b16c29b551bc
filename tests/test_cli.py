import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import specflow
from specflow.__main__ import main

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
