import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.toy_project import heed_interrupts

import specflow
from specflow.errors import SpecflowError
from specflow.stage import run_stage

SOURCE = Path(specflow.__file__).parents[1]


def put(monkeypatch, main):
    """Put a script in the place of the stages."""
    monkeypatch.setitem(sys.modules, "stages.made_up", SimpleNamespace(main=main))


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
    put(monkeypatch, main)
    with pytest.raises(SystemExit) as exit_info:
        run_stage("made_up", "this")
    assert (exit_info.value.code, capsys.readouterr().err) == (status, said)


def test_wrong_arguments_name_the_script(monkeypatch, capsys):
    put(monkeypatch, lambda name: None)
    with pytest.raises(SystemExit):
        run_stage("made_up")
    assert capsys.readouterr().err.startswith("error: stages/made_up.py: missing a required arg")


def test_bug_keeps_its_traceback(monkeypatch):
    put(monkeypatch, lambda: fail(RuntimeError("bug")))
    with pytest.raises(RuntimeError):
        run_stage("made_up")
    put(monkeypatch, lambda: importlib.import_module("specflow.no_such_module"))
    with pytest.raises(ModuleNotFoundError):
        run_stage("made_up")


def test_stage_whose_parent_is_gone_before_it_starts_does_no_work(tmp_path):
    (tmp_path / "stages").mkdir()
    script = "import pathlib\ndef main():\n    pathlib.Path('began').touch()\n"
    (tmp_path / "stages" / "made_up.py").write_text(script)
    command = f"sleep 0.3; exec {sys.executable} -m specflow.stage made_up"
    environment = os.environ | {"DVC_ROOT": ".", "PYTHONPATH": str(SOURCE)}

    def run(shell):
        subprocess.run(["sh", "-c", shell], cwd=tmp_path, env=environment, check=True)

    run(f"({command}) & echo $! > pid")  # its parent ends at once
    wait_for = psutil.Process(int((tmp_path / "pid").read_text()))
    psutil.wait_procs([wait_for], timeout=20)
    assert not (tmp_path / "began").exists()
    run(f"({command}) & wait")
    assert (tmp_path / "began").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_stage_that_is_asked_to_end_leaves_nothing_half_written(tmp_path, sent):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "made_up.py").write_text(
        "import pathlib, time\n"
        "from specflow.textfiles import written\n"
        "def main():\n"
        "    with written(pathlib.Path('result')) as part:\n"
        "        part.write_text('half')\n"
        "        time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "specflow.stage", "made_up"]
    environment = {name: text for name, text in os.environ.items() if name != "DVC_ROOT"}
    environment |= {"PYTHONPATH": f"{SOURCE}:{tmp_path}"}
    stage = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    while not (tmp_path / "result.part").exists():
        assert stage.poll() is None
        time.sleep(0.01)
    stage.send_signal(sent)
    _, said = stage.communicate(timeout=20)
    assert (stage.returncode, said) == (130, "interrupted; the same command resumes\n")
    assert not list(tmp_path.glob("result*"))
