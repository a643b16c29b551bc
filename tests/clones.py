"""Temporary clones of the working tree, in which the graph runs for real."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from copy import copy
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from specflow.graph import Graph

ROOT = Path(__file__).parents[1]
TINY = ROOT / "presets" / "tiny.yaml"

# In src/, so that every stage notes which files of the package it has loaded when it ends.
NOTE_LOADED = """
import atexit, pathlib, sys

@atexit.register
def note():
    if sys.argv[0].endswith("specflow/stage.py"):
        files = (getattr(m, "__file__", None) for n, m in sys.modules.items() if "specflow" in n)
        place = pathlib.Path(".specflow", "loaded", " ".join(sys.argv[1:]))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\\n".join(filter(None, files)))
"""


class Clone:
    """A clone without results, committed, whose params.yaml is another."""

    def __init__(self, folder: Path, params: dict[str, Any] | None = None) -> None:
        """Copy what git knows or would add.

        Args:
            folder: A new folder.
            params: Content of params.yaml; None takes the tiny preset.
        """
        self.folder = folder
        roles = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SPECFLOW_DEVICE": "cpu",
            "SPECFLOW_WORKERS": "1",
            **{f"GIT_{role}": "test@test" for role in roles},
        }
        ignored = ("results/", "tests/", "dvc.lock")
        for name in _listed():
            if not name.startswith(ignored) or name == "results/.gitignore":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        if params is None:
            shutil.copy(TINY, folder / "params.yaml")
        else:
            self.set_params(params)
        self.write("src/sitecustomize.py", NOTE_LOADED)
        self.run("git", "init", "--quiet")
        self.commit()

    def cloned(self, folder: Path) -> Self:
        """Return a clone by git, with what is committed alone."""
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        clone = copy(self)
        clone.folder = folder
        return clone

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone; unless told not to, expect it to end well."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert not (check and done.returncode), done.stdout + done.stderr
        return done

    def repro(self, *arguments: str) -> list[str]:
        """Return the stages that `specflow repro` ran, in the order in which they ended."""
        words = ("env", "PYTHONPATH=src", "python", "-m", "specflow", "repro", *arguments)
        lines = self.run(*words).stdout.splitlines()
        return [line.split()[1] for line in lines if line.startswith("ran ")]

    def dvc(self, *arguments: str) -> list[str]:
        """Return the stages whose commands a command of DVC ran, in order."""
        lines = self.run("dvc", *arguments).stdout.splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "state")

    def changes(self) -> str:
        """Return what git says has changed since the last commit, a line a file."""
        return self.run("git", "status", "--porcelain", "--untracked-files=all").stdout

    def restore(self) -> None:
        """Bring back the last commit, with its results."""
        self.run("git", "checkout", "--quiet", ".")
        self.run("git", "clean", "--quiet", "--force", "-d", "src")
        self.run("dvc", "checkout", "--force", "--quiet")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace the one place in a file that has a text."""
        text = self.read(name)
        assert text.count(old) == 1, (name, old)
        self.write(name, text.replace(old, new))

    def results(self) -> dict[Path, str]:
        """Return hashes of dvc.lock and of all results."""
        files = (path for path in (self.folder / "results").rglob("*") if path.is_file())
        return {
            path.relative_to(self.folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.folder / "dvc.lock", *files)
        }

    def set_params(self, params: dict[str, Any]) -> None:
        YAML(typ="safe").dump(params, self.folder / "params.yaml")

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def lock(self) -> dict[str, Any]:
        """Return what dvc.lock has of every stage."""
        stages: dict[str, Any] = YAML(typ="safe").load(self.folder / "dvc.lock")["stages"]
        return stages

    def stale(self) -> set[str]:
        """Return the stages that would run for what has changed of params.yaml or of the code.

        Stages are left out that would run since one before them does.
        """
        self.run("env", "PYTHONPATH=src", "python", "-m", "specflow.stage", "resolve")
        with contextlib.chdir(self.folder):
            graph = Graph()
            return {name for name in graph.names if name != "resolve" and graph.changed(name)}


def _listed() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]
