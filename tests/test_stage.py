import importlib
import sys

import pytest

from specflow.errors import SpecflowError
from specflow.stage import run_stage


def test_user_error_is_one_line_without_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage", "name"])

    def main(name):
        raise SpecflowError(f"{name} is wrong")

    with pytest.raises(SystemExit) as exit_info:
        run_stage(main)
    assert exit_info.value.code == 1
    assert capsys.readouterr().err == "error: name is wrong\n"


def test_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit):
        run_stage(lambda: importlib.import_module("no_such_package.part"))
    assert "the package no_such_package is not here; `pip install 'specflow[pip" in (
        capsys.readouterr().err
    )


def test_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage"])

    def main():
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        run_stage(main)
    with pytest.raises(ModuleNotFoundError):
        run_stage(lambda: importlib.import_module("specflow.no_such_module"))


def test_interrupt_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage"])

    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exit_info:
        run_stage(main)
    assert exit_info.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"
