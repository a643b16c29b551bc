"""A project of DVC in the form of ours, whose stages take no time, and `specflow repro` in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import specflow

ROOT = Path(__file__).parents[1]
SOURCE = Path(specflow.__file__).parents[1]
NAMES = ("a", "b")

GRAPH = """
stages:
  resolve:
    cmd: exec env PYTHONPATH={source} python -m specflow.stage resolve
    deps: [params.yaml]
    outs:
      - results/config.json: {{cache: false, persist: true}}
  train:
    foreach: ${{experiments}}
    do:
      cmd: exec env PYTHONPATH={source} python -m specflow.stage run results/runs/${{key}}
      params:
        - results/config.json:
            - ${{key}}
      outs:
        - results/runs/${{key}}
  measure:
    foreach: ${{experiments}}
    do:
      cmd: exec env PYTHONPATH={source} python -m specflow.stage run results/measures/${{key}}
      deps:
        - results/runs/${{key}}
      outs:
        - results/measures/${{key}}
  collect:
    cmd: exec env PYTHONPATH={source} python -m specflow.stage collect
    deps:
      - results/measures
    outs:
      - results/table.csv: {{cache: false}}
"""

RESOLVE = """
import json, pathlib, sys
from specflow.errors import SpecflowError

def main(option=""):
    params = json.loads(pathlib.Path("params.yaml").read_text())
    if "experiments" not in params:
        raise SpecflowError("params.yaml: experiments: missing")
    if option != "--check":
        pathlib.Path("results/config.json").write_text(json.dumps(params["experiments"]))
"""

# A stage says in the folder `started` that it runs, and waits for the file `go` if `wait` is there.
RUN = """
import json, os, pathlib, time
from specflow.errors import SpecflowError

def main(target):
    target = pathlib.Path(target)
    kind, name = target.parts[1:]
    pathlib.Path("started").mkdir(exist_ok=True)
    pathlib.Path("started", f"{kind}-{name}").write_text(
        os.environ.get("SPECFLOW_WORKERS", "") + " " + str(os.getpid())
    )
    if pathlib.Path(f"fail-{name}").exists():
        raise SpecflowError(f"{name} is out of order")
    while pathlib.Path("wait").exists() and not pathlib.Path("go").exists():
        time.sleep(0.01)
    config = json.loads(pathlib.Path("results/config.json").read_text())
    value = config[name] if kind == "runs" else 0
    target.mkdir(parents=True)
    (target / "out.txt").write_text(f"{kind} {value > 0}")
"""

COLLECT = """
import pathlib

def main():
    files = sorted(pathlib.Path("results/measures").glob("*/out.txt"))
    rows = [f"{file} {file.read_text()}\\n" for file in files]
    pathlib.Path("results/table.csv").write_text("".join(rows))
"""


class Project:
    """The project in a new folder, nothing run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(SOURCE),
            "SPECFLOW_DEVICE": "cpu",
            "SPECFLOW_WORKERS": "2",
        }
        (folder / "stages").mkdir(parents=True)
        (folder / "results").mkdir()
        (folder / ".dvc").mkdir()
        shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc")
        shutil.copy(ROOT / "results" / ".gitignore", folder / "results")
        self.write("dvc.yaml", GRAPH.format(source=SOURCE))
        for name, script in (("resolve", RESOLVE), ("run", RUN), ("collect", COLLECT)):
            self.write(f"stages/{name}.py", script)
        self.set_params(dict.fromkeys(NAMES, 1))
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)

    def write(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    def set_params(self, experiments: dict[str, int]) -> None:
        self.write("params.yaml", json.dumps({"experiments": experiments}))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "specflow", "repro", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )

    def repro(self, *arguments: str) -> list[str]:
        """Return the stages that ran, in order; there must be no error."""
        output, _ = ended(self.start(*arguments), status=0)
        return [line.split()[1] for line in output.splitlines() if line.startswith("ran ")]

    def serial(self, *targets: str) -> None:
        """Run what has changed by DVC alone, in one process beside those of the stages."""
        command = [sys.executable, "-m", "dvc", "repro", "--quiet", *targets]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()

    def started(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.folder / "started").glob("*")}


def heed_interrupts() -> None:
    """In a new process: do not ignore Ctrl-C, as what a script runs in the background does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str], status: int) -> tuple[str, str]:
    """Wait for a command that ends with this status; return what it said, and of errors."""
    output, errors = process.communicate(timeout=100)
    assert process.returncode == status, output + errors
    return output, errors
