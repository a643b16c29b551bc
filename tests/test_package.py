"""The package as others install it: built, with no extra, away from the repository."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import torch

import specflow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Other packages than these cannot be imported, as if they were not installed.
ONLY = """
import sys
from importlib.machinery import PathFinder

class Only:
    def find_spec(self, name, path=None, target=None):
        if path is None and name not in KNOWN and (spec := PathFinder.find_spec(name)):
            if "site-packages" in str(spec.origin):
                raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Only())
"""


def run(*command: object, folder: Path, status: int = 0) -> str:
    words = [*map(str, command)]
    # Where a shell has set it, the source tree would be imported in place of what is installed.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def with_dependencies(requirements: list[str]) -> set[str]:
    """Return the distributions of requirements and of all that they require, extras apart."""
    found: set[str] = set()
    todo = list(requirements)
    while todo:
        requirement = todo.pop()
        name = re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")
        if name not in found and "extra ==" not in requirement:
            found.add(name)
            try:
                todo += distribution(name).requires or []
            except ModuleNotFoundError:  # of another platform
                continue
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel, built from the source distribution of what git has."""
    folder = tmp_path_factory.mktemp("built")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT)
    for name in listed.splitlines():
        if name.startswith("src/") or "/" not in name:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = "from setuptools import build_meta; print(build_meta.build_{}('..'))"
    run(sys.executable, "-c", build.format("sdist"), folder=folder / "source")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    run(sys.executable, "-c", build.format("wheel").replace("..", "../.."), folder=unpacked)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder of commands of a new environment that has the wheel and its core alone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    commands = folder / "bin"
    pip = (sys.executable, "-m", "pip", "--python", commands / "python", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", built, folder=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    core = with_dependencies(PROJECT["dependencies"])
    known = {name for name, of in packages_distributions().items() if core & names(of)}
    (packages / "only.py").write_text(f"KNOWN = {known | {'specflow'}}\n{ONLY}")
    here = Path(torch.__file__).parents[1]
    (packages / "core.pth").write_text(f"{here}\nimport only\n")
    return commands


def names(distributions: list[str]) -> set[str]:
    return {name.lower().replace("_", "-") for name in distributions}


@pytest.mark.slow
def test_wheel_without_extras_analyses_a_checkpoint_from_another_folder(installed, tmp_path):
    assert run(installed / "specflow", "--version", folder=tmp_path).startswith("specflow ")
    weights = {"layers.0.weight": torch.randn(6, 4), "layers.1.weight": torch.randn(3, 6)}
    torch.save(weights, tmp_path / "step0.pt")
    said = run(installed / "specflow", "analyze", "step0.pt", "-o", "out", folder=tmp_path)
    assert "no flags: 1 step, 2 tensors" in said
    page = (tmp_path / "out" / "index.html").read_text()
    assert "layers.0" in page
    program = (
        "import specflow; table = specflow.analyze('step0.pt'); "
        "print(specflow.__file__, list(table['matrix']))"
    )
    said = run(installed / "python", "-c", program, folder=tmp_path)
    assert str(installed.parent) in said
    assert "['layers.0', 'layers.1']" in said


@pytest.mark.slow
def test_pipeline_without_its_extra_is_an_error_that_names_it(installed, tmp_path):
    (tmp_path / "dvc.yaml").touch()
    said = run(installed / "specflow", "repro", folder=tmp_path, status=1)
    assert said.startswith("error: the package dvc is not here; `pip install 'specflow[pipeline]'`")


def test_import_imports_nothing_heavy():
    program = "import json, sys, specflow; print(json.dumps(sorted(sys.modules)))"
    done = run(sys.executable, "-c", program, folder=Path(specflow.__file__).parents[1])
    assert not {"torch", "numpy", "pandas", "pydantic", "tqdm"} & set(json.loads(done))


def test_version_is_that_of_the_project():
    assert specflow.__version__ == PROJECT["version"]
