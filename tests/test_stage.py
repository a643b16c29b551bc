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


def test_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage"])

    def main():
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        run_stage(main)


def test_interrupt_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage"])

    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exit_info:
        run_stage(main)
    assert exit_info.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"
