"""Each addition by the files that it takes, the examples of docs/extending.md, in one run."""

import ast
import re

import h5py
import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from tests.clones import ROOT, TINY, Clone
from tests.report.pages import parse, section, texts

from specflow.frames import Tables, where

pytestmark = pytest.mark.slow
SOURCE = "src/specflow"
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")

PARAMS = {
    "datasets": {
        "stripes": {
            "kind": "stripes",
            "num_train": 80,
            "num_validation": 40,
            "image_size": 8,
            "brightness": 3.0,
            "seed": 0,
        }
    },
    "experiments": {"narrow": {"task": "digits", "dataset": "stripes"}},
    "distances": {"narrow_ends": {"experiment": "narrow"}},
    "figures": {"dpi": 50},
    **{kind: {} for kind in ("connections", "tickets", "samples", "checkpoints")},
}

STAGE = '''"""Measure how far the runs of an experiment end from each other."""

import json
from itertools import combinations

import numpy as np

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.config.settings import read_settings
from specflow.studies.distances.settings import DistanceSettings
from specflow.textfiles import write_text


def main(name: str) -> None:
    """Measure the distances `name`."""
    settings, _ = read_settings("distance", name, DistanceSettings)
    ends = {}
    for seed in settings.seeds:
        with open_trajectory(paths.trajectory(settings.experiment, seed)) as run:
            weights = run.weights(len(run.steps) - 1).values()
            ends[seed] = np.concatenate([weight.ravel() for weight in weights])
    pairs = combinations(ends, 2)
    found = [(a, b, float(np.linalg.norm(ends[a] - ends[b]))) for a, b in pairs]
    write_text(paths.MEASURES / "distances" / f"{name}.json", json.dumps(found))
'''

FIGURE = '''"""How far runs end from each other."""

from matplotlib.figure import Figure

from specflow.figures.registry import figure, has_rows
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where


@figure("experiment", title="Distances", caption="A bar each.", when=has_rows("history"))
def distances(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a bar for every two runs."""
    rows = where(tables["distances"], experiment=subject.name)
    fig.subplots().bar(rows["seed"].astype(str), rows["distance"])
'''


def example(heading: str, language: str = "python") -> str:
    """Return the first block of code below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return next(code for name, code in blocks if name == language)


def definitions(code: str, *names: str, imports: bool = True) -> str:
    """Return what an example defines under some names, below what it imports."""
    lines, kept = code.splitlines(), []
    for node in ast.parse(code).body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        own = [getattr(node, "name", None), *(one.id for one in getattr(node, "targets", ()))]
        if set(own) & set(names) or (imports and isinstance(node, ast.Import | ast.ImportFrom)):
            kept.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n".join(kept) + "\n"


def add_quantity(clone: Clone) -> set[str]:
    file = f"{SOURCE}/spectra/quantities.py"
    added = definitions(example("A quantity of spectra"), "nuclear_norm", imports=False)
    clone.write(file, f"{clone.read(file)}\n\n{added}")
    return {file}


def add_model(clone: Clone) -> set[str]:
    file = f"{SOURCE}/models/bottleneck.py"
    clone.write(file, definitions(example("A model"), "BottleneckParams", "Bottleneck"))
    return {file}


def add_dataset(clone: Clone) -> set[str]:
    file = f"{SOURCE}/datasets/stripes.py"
    clone.write(file, definitions(example("A dataset"), "StripesParams"))
    return {file}


def add_problem(clone: Clone) -> set[str]:
    """The models that it may be trained with name it."""
    file, model = f"{SOURCE}/problems/smoothed.py", f"{SOURCE}/models/bottleneck.py"
    clone.write(file, definitions(example("A problem"), "SmoothedParams", "Smoothed"))
    clone.change(model, '("classification",)', '("classification", "smoothed")')
    return {file, model}


def add_figure(clone: Clone) -> set[str]:
    file = f"{SOURCE}/figures/errors_of_seeds.py"
    clone.write(file, example("A figure"))
    return {file}


def add_claim(clone: Clone) -> set[str]:
    """Its threshold is in params.yaml."""
    file = f"{SOURCE}/claims/runs.py"
    added = definitions(example("A claim"), "stable_rank_is_low", imports=False)
    clone.write(file, f"{clone.read(file)}\n\n{added}")
    return {file}


def add_kind_of_experiment(clone: Clone) -> set[str]:
    """A study, its stage, its figure, its block of dvc.yaml."""
    folder, code = f"{SOURCE}/studies/distances", example("A kind of experiment")
    settings = "from specflow.studies.distances.settings import DistanceSettings\n"
    files = {
        f"{folder}/__init__.py": '"""Distances between the ends of runs."""\n',
        f"{folder}/settings.py": definitions(code, "DistanceSettings"),
        f"{folder}/study.py": settings + definitions(code, "DistanceParams"),
        "stages/distance.py": STAGE,
        f"{SOURCE}/figures/distances.py": FIGURE,
    }
    for name, text in files.items():
        clone.write(name, text)
    block = example("A kind of experiment", language="")
    clone.change("dvc.yaml", "\n  collect:\n", f"\n{block}\n  collect:\n")
    return {*files, "dvc.yaml"}


ADDITIONS = {
    add_quantity: 1,
    add_model: 1,
    add_dataset: 1,
    add_problem: 2,
    add_figure: 1,
    add_claim: 1,
    add_kind_of_experiment: 6,
}


def params() -> dict:
    """Return the tiny preset, cut down to one experiment that is made of additions."""
    whole = YAML(typ="safe").load(TINY)
    task = whole["tasks"]["digits"] | {
        "problem": {"kind": "smoothed", "smoothing": 0.1},
        "model": {"kind": "bottleneck", "width": 12},
        "batch_size": 20,
        "checkpoints": whole["tasks"]["digits"]["checkpoints"] | {"split_steps": []},
    }
    claims = whole["claims"] | {"grokking": None}
    claims["thresholds"]["stable_rank_is_low"] = 1e3
    return whole | PARAMS | {"tasks": {"digits": task}, "claims": claims}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with all additions, after the run of its graph."""
    clone = Clone(tmp_path_factory.mktemp("clone") / "project", params())
    for add, num_files in ADDITIONS.items():
        files = add(clone)
        changed = {line[3:] for line in clone.changes().splitlines()}
        assert (changed, len(files)) == (files, num_files)
        clone.commit()
    clone.ran = clone.repro("-j", "2")
    return clone


@pytest.fixture(scope="module")
def tables(project):
    return Tables(project.folder / "results" / "tables")


def figures_of(project: Clone, kind: str) -> list[str]:
    """Return the subjects of which there is a figure of a kind, once its pictures were opened."""
    found = [one for one in project.json("results/figures.json")["figures"] if one["kind"] == kind]
    for one in found:
        Image.open(project.folder / "results" / "figures" / one["file"]).verify()
    return [one["subject"] for one in found]


def test_every_stage_ran(project):
    last = ["collect", "judge", "figures", "report"]
    runs = [f"{stage}@narrow" for stage in ("train", "spectra", "prune")]
    expected = ["resolve", "prepare@stripes", *runs, "distance@narrow_ends", *last]
    assert sorted(project.ran) == sorted(expected)


def test_quantity_is_in_table_summary_and_figure(project, tables):
    rows = where(tables["spectra"], experiment="narrow", seed=0, matrix="output.weight")
    spectra = project.folder / "results/measures/spectra/narrow/seed0/spectra.h5"
    with h5py.File(spectra) as file:
        S = file["matrices/output.weight/singular_values"][:]
    assert rows["nuclear_norm"].tolist() == pytest.approx(S.sum(axis=1), rel=1e-4)
    summary = project.json("results/summary.json")["experiments"]["narrow"]
    assert summary["nuclear_norm"]["mean"] > 0
    assert figures_of(project, "quantities") == ["narrow"]
    drawn = (
        "from specflow.figures import spectra, style; print(style.quantity_label('nuclear_norm'))"
    )
    said = project.run("env", "PYTHONPATH=src", "python", "-c", drawn).stdout
    assert said == "nuclear norm\n"


def test_model_dataset_and_problem_are_measured(project, tables):
    matrices = where(tables["matrices"], experiment="narrow")
    sizes = matrices.set_index("matrix")[["rows", "columns"]].T.to_dict("list")
    assert sizes == {"narrow.weight": [12, 64], "output.weight": [2, 12]}
    assert list(where(tables["pairs"], experiment="narrow")["pair"]) == ["narrow -> output"]
    assert set(where(tables["pruning"], experiment="narrow")["metric"]) == {"loss", "error"}
    config = project.json("results/config.json")
    assert "datasets/stripes.py" in config["prepare"]["stripes"]["code"]
    code = set(config["train"]["narrow"]["code"])
    assert {"models/bottleneck.py", "problems/smoothed.py"} < code
    assert "datasets/stripes.py" not in code


def test_figure_is_drawn_and_on_the_page(project):
    assert figures_of(project, "errors_of_seeds") == ["narrow"]
    assert "errors_of_seeds_narrow.png" in project.read("results/report/index.html")


def test_claim_is_judged(project, tables):
    found = project.json("results/claims.json")["stable_rank_is_low"]
    assert found["subjects"]["narrow"]["verdict"] == "holds"
    assert "few directions carry most of the norm" in project.read("results/report/index.html")


def test_kind_of_experiment_is_measured_collected_drawn_and_on_the_page(project, tables):
    ends = {}
    for seed in (0, 1):
        run = project.folder / f"results/runs/narrow/seed{seed}/trajectory.h5"
        with h5py.File(run) as file:
            weights = [file["weights"][name][-1].ravel() for name in leaves(file["weights"])]
        ends[seed] = np.concatenate(weights)
    (row,) = tables["distances"].to_dict("records")
    about = {"distances": "narrow_ends", "experiment": "narrow", "seed": 0, "other_seed": 1}
    assert about.items() <= row.items()
    assert row["distance"] == pytest.approx(np.linalg.norm(ends[0] - ends[1]), rel=1e-4)
    assert figures_of(project, "distances") == ["narrow"]
    page = parse(project.read("results/report/index.html"))
    shown = section(page, "distance-narrow_ends")
    assert texts(shown, "dt")[:2] == ["experiment", "experiment"]
    assert texts(shown, "h4") == ["distance"]
    assert "distance narrow_ends" in texts(section(page, "experiment-narrow"), "a")


def leaves(group: h5py.Group) -> list[str]:
    found: list[str] = []
    group.visititems(
        lambda name, one: found.append(name) if isinstance(one, h5py.Dataset) else None
    )
    return found


def test_documentation_and_schema_know_all_of_them(project):
    environment = ("env", "PYTHONPATH=src", "python", "-m")
    project.run(*environment, "specflow.docs")
    assert "`nuclear_norm`" in project.read("docs/methods.md")
    assert "stable_rank_is_low" in project.read("docs/claims.md")
    assert "`errors_of_seeds`" in project.read("docs/results.md")
    described = project.read("docs/params.md")
    assert "kind `bottleneck`" in described
    assert "kind `stripes`" in described
    assert "kind `smoothed`" in described
    assert "`distances.<name>`" in described
