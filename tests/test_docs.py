"""The documentation against the project: what is generated, linked, shown and named in it."""

import argparse
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import save_file
from tests.quantities import ALWAYS
from tests.test_layers import MODULES, ROOT, SOURCE, imported, room_of

from specflow import cli
from specflow.config.params import load_params
from specflow.docs.markdown import anchor, escaped, meanings, parts_of, table
from specflow.docs.pages import PARTS, filled, pages_of
from specflow.docs.params import params
from specflow.executor.slurm.settings import read_cluster
from specflow.spectra import QUANTITIES
from specflow.studies.study import kinds_of_studies

PAGES = [page.relative_to(ROOT).as_posix() for page in pages_of(ROOT)]
OF_CLUSTERS = "docs/cluster.md"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return [block for name, block in _FENCED.findall(text_of(page)) if name == language]


@pytest.mark.parametrize("page", PAGES)
def test_what_is_committed_is_what_is_generated(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert text_of(page) == filled(text_of(page)), "run: python -m specflow.docs"


def test_every_part_is_on_some_page():
    shown = {name for page in PAGES for name in re.findall("generated: (\\w+)", text_of(page))}
    assert shown == set(PARTS)


def test_nothing_by_hand_is_lost(monkeypatch):
    monkeypatch.setitem(PARTS, "tree", lambda: "new")  # type: ignore[arg-type]
    page = "by\n<!-- generated: tree -->\nold\n<!-- end -->\nhand\n"
    once = filled(page)
    assert once == "by\n<!-- generated: tree -->\n\nnew\n\n<!-- end -->\nhand\n"
    assert filled(once) == once
    with pytest.raises(KeyError, match="nonsense"):
        filled("<!-- generated: nonsense -->\n<!-- end -->")


@pytest.mark.parametrize("page", [*PAGES, "benchmarks/README.md"])
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", text_of(page))):
        if not target.startswith(("http:", "https:")):
            name, _, heading = target.partition("#")
            file = (ROOT / page).parent / name if name else ROOT / page
            assert file.exists(), target
            if heading:
                lines = _FENCED.sub("", file.read_text("utf-8")).splitlines()
                assert heading in {anchor(line.lstrip("# ")) for line in lines if line[:1] == "#"}


# Examples may register quantities and figures, so they run in a process of their own.
EXAMPLES = """
import doctest, re, sys
from pathlib import Path

failed = 0
for page in sys.argv[1:]:
    text, names = Path(page).read_text("utf-8"), {"__name__": "example"}
    for block in re.finditer("^```python\\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\\n", 0, block.start(1))
        if ">>>" in block[1]:
            test = doctest.DocTestParser().get_doctest(block[1], names, page, page, line)
            failed += doctest.DocTestRunner().run(test, clear_globs=False).failed
            names |= test.globs
        else:
            exec(compile("\\n" * line + block[1], page, "exec"), names)
sys.exit(failed)
"""


def test_every_python_example_runs(tmp_path):
    (tmp_path / "results").symlink_to(ROOT / "results")
    (tmp_path / "run").mkdir()
    weights = {f"layers.{i}.weight": torch.randn(8, 8) for i in range(2)}
    for step in (0, 10, 20):
        file = tmp_path / "run" / f"step{step}.safetensors"
        save_file({name: value + 0.01 * step for name, value in weights.items()}, file)
    pages = [str(ROOT / page) for page in PAGES]
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLES, *pages],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "SPECFLOW_WORKERS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_yaml_examples_together_are_valid_params(tmp_path):
    yaml = YAML(typ="safe")
    whole: dict[str, Any] = yaml.load(ROOT / "params.yaml")
    for page in set(PAGES) - {OF_CLUSTERS}:
        for block in blocks(page, "yaml"):
            for section, entries in yaml.load(block).items():
                assert not set(entries) & set(whole[section]), "an example has a name of its own"
                whole[section] = {**whole[section], **entries}
    yaml.dump(whole, tmp_path / "params.yaml")
    load_params(tmp_path / "params.yaml")


def test_example_of_a_cluster_is_valid(tmp_path):
    (tmp_path / "cluster.yaml").write_text(*blocks(OF_CLUSTERS, "yaml"))
    read_cluster(tmp_path / "cluster.yaml")


def commands_in(page: str) -> list[list[str]]:
    """Return the words of every command in blocks of shell, without comments."""
    lines = (line.partition(" #")[0] for block in blocks(page, "sh") for line in block.splitlines())
    return [line.replace("'", "").split() for line in lines if line.strip()]


def subcommands() -> dict[str, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser()
    added = parser.add_subparsers()
    cli._add_commands(added)
    return dict(added.choices)


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_there(page):
    targets = set(re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE))
    for command, *words in commands_in(page):
        match command:
            case "make":
                assert words[0] in targets
            case "specflow":
                name, *arguments = words
                subcommands()[name].parse_args(arguments)  # exits if they are unknown
            case "python":
                assert words[0] == "-m" or (ROOT / words[0]).exists(), words
            case _:
                assert command in ("dvc", "cp", "export"), command


def test_params_that_commands_set_are_there():
    whole: Any = load_params(ROOT / "params.yaml")
    words = [word for page in PAGES for command in commands_in(page) for word in command]
    settings = [word.lstrip("+") for word in words if re.match(r"[+a-z_][a-z_.0-9]*=", word)]
    assert settings
    for setting in settings:
        found = whole
        for key in setting.partition("=")[0].split("."):
            found = found[key] if isinstance(found, dict) else getattr(found, key)


@pytest.mark.parametrize("page", [*PAGES, "benchmarks/README.md"])
def test_paths_that_are_named_are_there(page):
    folders = "src|stages|presets|docs|tests|benchmarks"
    for path in re.findall(rf"`((?:{folders})/[a-z0-9_./]*)`", text_of(page)):
        assert (ROOT / path).exists(), path


def test_the_tree_is_there():
    (tree,) = re.findall(r"## The tree\n\n```\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert all((ROOT / line.split()[0]).exists() for line in tree.splitlines())


def test_rooms_import_one_way_in_the_order_that_is_described():
    order = text_of("docs/extending.md").partition("Rooms import one way")[2].partition("Single")[0]
    rooms = re.findall(r"`(\w+)`", order)
    assert sorted(rooms) == sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
    for module, path in MODULES.items():
        if (room := room_of(module)) in rooms:
            upward = set(rooms[: rooms.index(room)])
            assert not {room_of(other) for other in imported(path)} & upward, module


def described_columns() -> dict[str, list[str]]:
    """Return the columns of every table that docs/results.md lists."""
    lists = text_of("docs/results.md").partition("## Tables")[2].partition("| column |")[0]
    lists = lists.replace("each [quantity]", f"`{'`, `'.join(ALWAYS)}`")
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| (.*) \|$", lists, re.MULTILINE)
    return {name: re.findall(r"`(\w+)`", columns) for name, columns in rows}


def test_tables_have_the_columns_that_are_described():
    tables = {
        name: list(table.columns)
        for study in kinds_of_studies().values()
        for name, table in study.tables({}).items()
    }
    assert described_columns() == tables


def test_every_column_is_explained_unless_its_name_says_all():
    glossary = text_of("docs/results.md").partition("| column | meaning |")[2].partition("##")[0]
    explained = {*re.findall(r"`(\w+)`", glossary), *QUANTITIES}
    names = {"experiment", "connection", "ticket", "samples", "pair", "kind", "seed"}
    plain = names | {"other_step", "rewind_step", "image", "height", "width", "channels"}
    columns = {name for columns in described_columns().values() for name in columns}
    assert columns - plain <= explained


def test_every_key_of_params_has_a_meaning_or_leads_to_one():
    rows = [line for line in params().splitlines() if line.startswith("| `")]
    assert not [row for row in rows if row.endswith("|  |") and "](#" not in row]


def test_docstrings_become_their_parts():
    def function(x):
        """Return x_i * 2, a | b.

        More.

        Args:
            x: First line
                and second.
            y: Other.

        Returns:
            A number.
        """

    parts = parts_of(function)
    assert parts == {
        "": "Return x_i * 2, a | b.\n\nMore.",
        "Args": "x: First line\n    and second.\ny: Other.",
        "Returns": "A number.",
    }
    assert meanings(parts["Args"]) == {"x": "First line and second.", "y": "Other."}
    assert escaped("x_i * 2 <b> | `a | b*`") == r"x_i \* 2 \<b> \| `a | b*`"
    assert table(("a",), [("b\nc",)]) == "| a |\n| --- |\n| b c |"
