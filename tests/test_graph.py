"""dvc.yaml against the code: a stage depends on every module that it runs."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
GRAPH = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in GRAPH.items()}

# What decides no result: how a stage is run, where files lie, and sections of params.yaml, whose
# values reach a stage in its resolved config.
NO_RESULT = {
    *(f"specflow/{name}.py" for name in ("errors", "executor", "paths", "stage", "textfiles")),
    *(path.relative_to(SOURCE).as_posix() for path in (SOURCE / "specflow/params").glob("*.py")),
} - {f"specflow/params/{name}.py" for name in ("checkpoints", "datasets", "tasks")}
# Stages that run code of params: numbers of samples and steps.
COUNTING_STAGES = ("train", "branch", "retrain")


# Modules that a stage imports and does not run: making datasets, empty packages.
NOT_RUN = {
    *(path.relative_to(SOURCE).as_posix() for path in (SOURCE / "specflow/datasets").glob("*.py")),
    "specflow/measure/__init__.py",
    "specflow/tables/__init__.py",
} - {"specflow/datasets/storage.py"}


def module_file(name: str) -> Path | None:
    path = SOURCE / name.replace(".", "/")
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def imports_of(path: Path) -> set[Path]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {module_file(name) for name in names if name.startswith("specflow.")}
    return {path for path in files if path is not None}


def closure(path: Path) -> set[Path]:
    seen, todo = set(), {path}
    while todo:
        current = todo.pop()
        seen.add(current)
        todo |= imports_of(current) - seen
    return seen - {path}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_stage_depends_on_every_module_that_decides_its_results(name):
    listed = [ROOT / dep for dep in STAGES[name]["deps"]]
    missing = set()
    for path in closure(ROOT / "stages" / f"{name}.py"):
        module = path.relative_to(SOURCE).as_posix()
        counts = name in COUNTING_STAGES or not module.startswith("specflow/params/")
        if module in NO_RESULT or not counts or module == "specflow/__init__.py":
            continue
        if not any(path == dep or dep in path.parents for dep in listed):
            missing.add(module)
    assert not missing - NOT_RUN


@pytest.mark.parametrize("name", sorted(STAGES))
def test_stage_lists_nothing_that_is_not_there(name):
    for dep in STAGES[name]["deps"]:
        given = dep.startswith(("results/", "${item."))
        assert given or (ROOT / dep).exists(), dep


@pytest.mark.parametrize("name", sorted(STAGES))
def test_command_makes_the_stage_a_child_of_dvc(name):
    assert STAGES[name]["cmd"].startswith("exec env PYTHONPATH=src python stages/")
