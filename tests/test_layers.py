"""Imports run one way, and files stay short."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "specflow"
# A room, a package or a module beside them, imports those that stand before it, no other.
ROOMS = """
    matrices threads spectra interventions
    paths errors section section_errors yaml_file device seal textfiles sums json_files hdf5 scratch
    executor outputs frames
    wiring checkpoints datasets models problems training audit measure live
    studies claims figures config report
    analysis specflow docs stage schedule graph plan repro cli __main__
"""
ORDER = ROOMS.split()
LONGEST = 300  # lines of a file


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def nodes(tree: ast.AST, *, types: bool) -> Iterator[ast.AST]:
    """All nodes, those within functions too; without `types`, none that type checkers alone see."""
    for child in ast.iter_child_nodes(tree):
        if types or not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from nodes(child, types=types)


@cache
def imported(path: Path, *, types: bool = True) -> set[str]:
    """The modules of the package that a file names in its imports."""
    found = set()
    for node in nodes(ast.parse(path.read_text("utf-8")), types=types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def room_of(module: str) -> str:
    """The part of the name after the package's; of the package itself, all of it."""
    return [*module.split("."), module][1]


def test_order_names_every_room_once():
    assert sorted(ORDER) == sorted({room_of(module) for module in MODULES})


def test_imports_run_downward():
    upward = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in sorted(imported(path))
        if ORDER.index(room_of(other)) > ORDER.index(room_of(module))
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: imported(path, types=False) for module, path in MODULES.items()}
    order = tuple(TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


def test_imports_within_functions_and_for_types_are_seen(tmp_path):
    file = tmp_path / "a.py"
    lines = ["if TYPE_CHECKING:", "    from specflow import paths", "def f():"]
    file.write_text("\n".join([*lines, "    from specflow.errors import SpecflowError"]))
    assert imported(file) == {"specflow.paths", "specflow.errors"}
    assert imported(file, types=False) == {"specflow.errors"}


def test_files_are_short():
    folders = ("src", "stages", "tests", "benchmarks")
    files = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
