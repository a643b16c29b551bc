"""The graph: how it is read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sealed import damage_in_place
from tests.toy_project import RUN, Project

from specflow.errors import SpecflowError
from specflow.graph import Graph, forget, undeclared

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project after its whole run, in which tests change nothing."""
    project = Project(tmp_path_factory.mktemp("projects") / "finished")
    project.serial()
    return project


def test_every_stage_stands_after_its_upstream_and_before_its_dependents(project):
    graph = Graph()
    assert len(graph.names) == 6
    assert graph.upstream["measure@b"] == {"train@b"}
    assert graph.upstream["train@b"] == {"resolve"}
    assert graph.dependents["train@a"] == {"measure@a", "collect"}
    assert graph.dependents["resolve"] == set(graph.names) - {"resolve"}
    for place, name in enumerate(graph.names):
        assert graph.upstream[name] <= set(graph.names[:place])
        assert graph.dependents[name] <= set(graph.names[place + 1 :])
    assert all(graph.changed(name) for name in graph.names)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["measure@b"], {"resolve", "train@b", "measure@b"}),
        (["train"], {"resolve", "train@a", "train@b"}),
    ],
)
def test_targets_are_stages_or_groups_with_their_upstream(project, targets, expected):
    assert set(Graph(targets).names) == expected


def test_outputs_of_what_is_declared_no_more_are_found(project):
    gone = [Path("results/runs/gone"), Path("results/measures/a")]
    kept = [Path("results/runs/a"), Path("results/measures/b"), Path("results/other")]
    for folder in (*gone, *kept):
        folder.mkdir(parents=True)
    assert list(undeclared({"train": {"a": {}}, "measure": {"b": {}}})) == gone


def test_what_params_lack_is_said_by_resolve(project):
    project.write("params.yaml", "{}")
    with pytest.raises(SpecflowError, match=r"^params\.yaml: experiments: missing$"):
        Graph()


def test_unknown_target_is_an_error(project):
    with pytest.raises(SpecflowError, match="tain"):
        Graph(["tain"])


def test_new_stages_are_put_in_order_and_old_ones_left(project):
    graph = Graph()
    order = ["train@b", "measure@b", "resolve", "gone", "train@a"]
    entries = "".join(f"  {name}:\n    cmd: x # {name}\n" for name in order)
    project.write("dvc.lock", f"schema: '2.0'\nstages:\n{entries}")
    graph.order_lock(["train@b", "measure@b", "train@a"])
    after = ["resolve", "gone", "train@a", "train@b", "measure@b"]
    assert graph.locked() == after
    entries = "".join(f"  {name}:\n    cmd: x # {name}\n" for name in after)
    assert project.lock() == f"schema: '2.0'\nstages:\n{entries}"


@pytest.mark.parametrize(
    ("links", "place"), [("hardlink", "results/runs/a/out.txt"), ("copy", "results/runs/a")]
)
def test_damaged_result_is_made_again_once_it_is_forgotten(project, links, place):
    """Restored from the cache it would be what it is: with links cache and result are one file."""
    project.write(".dvc/config", f"[cache]\n    type = {links}\n")
    project.set_params({"a": 1, "b": -1})  # equal results would be one file of the cache
    project.serial("train")
    file = project.folder / "results/runs/a/out.txt"
    whole = file.read_bytes()
    cached = [path for path in (project.folder / ".dvc/cache").rglob("*") if path.is_file()]
    copies = [path for path in cached if path.read_bytes() == whole]
    for copy in (file, *(path for path in copies if not path.samefile(file))):
        damage_in_place(copy, 0)
    assert project.repro("train") == []  # nobody sees it
    forget([Path(place)])
    assert project.repro("train") == ["train@a"]
    assert file.read_bytes() == whole


def test_two_damaged_files_of_one_folder_are_forgotten_one_after_the_other(project):
    """Also by DVC, which restores what its cache has."""
    project.write(
        "stages/run.py",
        RUN.replace('"out.txt")', '"1.txt").write_text("1")\n    (target / "out.txt")'),
    )
    project.set_params({"a": 1})
    project.serial("train")
    folder = project.folder / "results/runs/a"
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(whole) == 2
    for path in whole:
        damage_in_place(path, 0)
    for path in whole:
        forget([path])
    project.repro("train")
    shutil.rmtree(folder)
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet", "train"], check=True)
    assert {path: path.read_bytes() for path in folder.iterdir()} == whole


@pytest.mark.parametrize(
    "place", ["params.yaml", "results", "results/runs", ".", "..", "/", "stages"]
)
def test_what_no_stage_has_made_is_not_forgotten(finished, monkeypatch, place):
    """Least of all what holds the outputs of stages beside other things."""
    monkeypatch.chdir(finished.folder)
    before = {path for path in finished.folder.rglob("*") if ".dvc/tmp" not in str(path)}
    with pytest.raises(SpecflowError, match="dvc: "):
        forget([Path(place)])
    assert {path for path in finished.folder.rglob("*") if ".dvc/tmp" not in str(path)} == before
