"""Which source files a stage runs, each with a hash that comments and docstrings do not change.

The import closure of the stage's script, found in the text of the files, and the files of the kinds
that its settings name, which registries import while it runs. DVC does not follow imports.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

PACKAGE = "specflow"
SOURCE = Path(__file__).parents[1]
# What these do decides no result: places, progress, messages, how stages and runs are started.
# They are neither hashed nor followed.
_DECIDE_NOTHING = frozenset(
    {
        "__init__.py",
        "config/__init__.py",
        "config/code.py",
        "config/settings.py",
        "errors.py",
        "executor",
        "json_files.py",
        "paths.py",
        "scratch.py",
        "section_errors.py",
        "stage.py",
        "yaml_file.py",
    }
)
_BEFORE_STATEMENTS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_AFTER_STATEMENTS = (tokenize.NEWLINE, tokenize.COMMENT)
_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)  # and what holds statements


def code_of(script: Path, modules: Iterable[str] = ()) -> dict[str, str]:
    """Return the hash of every source file that a stage runs.

    Args:
        script: The script of the stage.
        modules: Names of modules that are imported by name while it runs.

    Returns:
        First 12 hex digits of a SHA-256 by path: those of the package relative to it, and the
        script's as given.
    """
    files = _closure([script, *filter(None, map(_file_of, modules))])
    return {name: _digest(path) for name, path in sorted((_name(path), path) for path in files)}


def decides_nothing(name: str) -> bool:
    """Return whether no result depends on a file of the package, or on all of its folder."""
    return not _DECIDE_NOTHING.isdisjoint({name, name.partition("/")[0]})


def modules_in(package: str) -> list[str]:
    """Return the names of all modules of a package that come with it, for what imports them all."""
    folder = SOURCE.joinpath(*package.split(".")[1:])
    return sorted(
        f"{package}.{file.stem}" for file in folder.glob("*.py") if file.stem != "__init__"
    )


def essence(text: str) -> str:
    """Return Python source without comments, docstrings, blank lines and spaces at line ends.

    The text is cut, not parsed anew, so that the version of Python does not count. Strings of
    several lines stay as they are. A docstring is any string that is a statement by itself.
    """
    lines: list[str | None] = list(text.split("\n"))
    cuts = []
    kept: set[int] = set()  # lines that end within a string
    begins = True  # a statement, with the next token
    for token, following in pairwise(tokenize.generate_tokens(io.StringIO(text).readline)):
        (first, start), (last, end) = token.start, token.end
        ends = following.type in _AFTER_STATEMENTS or following.string == ";"
        is_docstring = begins and token.type == tokenize.STRING and ends
        if is_docstring or token.type == tokenize.COMMENT:
            cuts.append((first - 1, start, last - 1, end))
        else:
            kept |= set(range(first - 1, last - 1))
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            begins = token.type in _BEFORE_STATEMENTS or token.string == ";"
    for first, start, last, end in reversed(cuts):
        rest = f"{(lines[first] or '')[:start]}{(lines[last] or '')[end:]}"
        lines[first : last + 1] = [rest, *[None] * (last - first)]
    numbered = ((i, line) for i, line in enumerate(lines) if line is not None)
    return "\n".join(
        line if i in kept else line.rstrip() for i, line in numbered if i in kept or line.strip()
    )


def _closure(files: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    new = list(files)
    while new:
        file = new.pop()
        if file not in found and not decides_nothing(_name(file)):
            found.add(file)
            new += _imported(file)
    return found


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """Return the files of the package that a file imports, the packages that they are in too."""
    found = set()
    for module in _modules(ast.parse(file.read_text("utf-8"))):
        parts = module.split(".")
        found |= {_file_of(".".join(parts[: count + 1])) for count in range(len(parts))}
    return tuple(filter(None, found))


def _modules(node: ast.AST) -> Iterator[str]:
    """Yield the names of what is imported at run time; of a name, the module that it may be."""
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children = node.orelse
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in children:
        if isinstance(child, _STATEMENTS):  # an expression imports nothing
            yield from _modules(child)


def _file_of(module: str) -> Path | None:
    """Return the file of a module of the package; None of any other name."""
    head, *parts = module.split(".")
    path = SOURCE.joinpath(*parts)
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if head == PACKAGE and place.is_file()), None)


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix() if path.is_relative_to(SOURCE) else path.as_posix()


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(essence(path.read_text("utf-8")).encode()).hexdigest()[:12]
