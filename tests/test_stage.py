import importlib
import sys

import pytest

from specflow.errors import SpecflowError
from specflow.stage import run_stage


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("main", "status", "said"),
    [
        (lambda name: fail(SpecflowError(f"{name} is wrong")), 1, "error: this is wrong\n"),
        (lambda name: fail(KeyboardInterrupt), 130, "interrupted; the same command resumes\n"),
        (
            lambda name: importlib.import_module("no_such_package.part"),
            1,
            "error: the package no_such_package is not here; `pip install 'specflow[pipeline]'` "
            "installs what the pipeline needs\n",
        ),
    ],
    ids=["user error", "interrupt", "missing package"],
)
def test_what_a_user_can_mend_is_one_line_without_traceback(
    monkeypatch, capsys, main, status, said
):
    monkeypatch.setattr(sys, "argv", ["stage", "this"])
    with pytest.raises(SystemExit) as exit_info:
        run_stage(main)
    assert (exit_info.value.code, capsys.readouterr().err) == (status, said)


def test_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(RuntimeError):
        run_stage(lambda: fail(RuntimeError("bug")))
    with pytest.raises(ModuleNotFoundError):
        run_stage(lambda: importlib.import_module("specflow.no_such_module"))
