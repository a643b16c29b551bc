"""The whole graph on the tiny preset, for real, in a temporary clone."""

import json
import os
import re
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML
from tests.clones import TINY, Clone
from tests.executor.counting import CLUSTER
from tests.executor.toy_cluster import ToyCluster, needs_slurm
from tests.sealed import damage_in_place

from specflow.config.code import decides_nothing
from specflow.frames import Tables, where
from specflow.graph import Graph

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # of DVC
]
EXPERIMENTS = ("grokking", "digits_vgg", "digits_unet")
TICKETS = ("digits_magnitude", "digits_random")
LAST = ("collect", "judge", "figures", "report")
STAGES = {
    *("resolve", "prepare@addition", "prepare@digits", "sample@digits_unet", "analyze@digits"),
    *(f"{stage}@{name}" for stage in ("train", "spectra", "prune") for name in EXPERIMENTS),
    *(f"{stage}@{name}" for stage in ("retrain", "compare") for name in TICKETS),
    *("branch@digits_vgg", "connect@digits_vgg", *LAST),
}
OF_UNETS = {f"{stage}@digits_unet" for stage in ("train", "spectra", "prune", "sample")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The clone after its first whole run, two stages side by side, committed."""
    project = Clone(tmp_path_factory.mktemp("clone") / "project")
    project.first_run = project.repro("-j", "2")
    project.commit()
    return project


@pytest.fixture
def changed(project):
    """The clone, restored after the test."""
    yield project
    project.restore()


def test_every_stage_runs_once(project):
    assert sorted(project.first_run) == sorted(STAGES)


@needs_slurm
def test_graph_on_a_cluster_gives_the_same_bytes(project, tmp_path):
    there = Clone(tmp_path / "project")
    with ToyCluster(tmp_path / "slurm") as cluster:
        there.write("cluster.yaml", f"{CLUSTER}members_at_once: 1")  # torch is imported seldom
        there.environment |= cluster.own | {"SPECFLOW_CLUSTER": "cluster.yaml"}
        there.environment["TMPDIR"] = str(cluster.folder)  # so that the clone counts as shared
        assert sorted(there.repro("-j", "3")) == sorted(STAGES)
        assert not cluster.jobs(there.folder)
    assert there.results() == project.results()
    sent = {path.name.split("-")[0] for path in (there.folder / ".specflow" / "slurm").iterdir()}
    kinds = {"spectra", "prune", "sample", "connect", "compare", "ranges", "specflow"}
    assert sent == {*EXPERIMENTS, *TICKETS, *kinds, "ticket"}


def test_code_of_a_stage_holds_every_module_that_it_loaded(project):
    config, source = project.json("results/config.json"), project.folder / "src" / "specflow"
    notes = list((project.folder / ".specflow" / "loaded").iterdir())
    assert len(notes) == len(STAGES)
    for note in notes:
        stage, name = f"{note.name} all".split()[:2]
        files = {Path(line).relative_to(source).as_posix() for line in note.read_text().split()}
        if stage != "resolve":
            code = config[stage][name]["code"]
            assert {f for f in files if not decides_nothing(f)} <= set(code), note.name


def test_results_are_there(project):
    results = project.folder / "results"
    tables = {path.stem for path in (results / "tables").iterdir()}
    assert {"history", "spectra", "alignment", "pruning", "barriers", "endpoint_agreement"} < tables
    assert {"samples", "tickets", "ticket_masks", "ticket_history", "ticket_spectra"} < tables
    assert {"steps", "matrices", "pairwise_agreement", "changes", "audit"} < tables
    figures = {path.stem for path in (results / "figures").iterdir()}
    of_vgg = ("effective_rank", "tickets", "barriers", "across", "perturbation")
    assert {f"{name}_digits_vgg" for name in of_vgg} < figures
    assert {"grokking", "errors", "samples_digits_unet", "agreement_digits"} < figures
    assert {entry["file"] for entry in project.json("results/figures.json")["figures"]} == {
        f"{name}.png" for name in figures
    }
    page = project.read("results/report/index.html")
    assert all(name in page for name in (*EXPERIMENTS, *TICKETS, "tickets_digits_vgg.png"))


def test_summary_has_mean_and_std_of_every_experiment_and_connection(project):
    summary = project.json("results/summary.json")
    assert set(summary["experiments"]) == set(EXPERIMENTS)
    grokking = summary["experiments"]["grokking"]
    assert 0 <= grokking["validation/error"]["mean"] <= 1
    assert grokking["normalized_effective_rank"]["std"] >= 0
    assert grokking["pruned"]["bottom_0.5"]["train/loss"]["mean"] > 0
    splits = summary["connections"]["digits_vgg"]
    across = {"across_split_0", "across_split_5"}
    assert set(splits) == {"split_0", "split_5", "perturbed_0.5"} | across
    assert set(splits["split_0"]["validation/loss_barrier"]) == {"mean", "std"}


def test_magnitude_ticket_keeps_more_of_the_top_directions_than_a_random_one(project):
    tickets = project.json("results/summary.json")["tickets"]
    assert tuple(tickets) == TICKETS
    for ticket in tickets.values():
        assert ticket["density"]["mean"] == pytest.approx(0.2, abs=1e-3)
        assert 0 <= ticket["validation/error"]["mean"] <= 1
    kept = [ticket["masked_agreement_score"]["mean"] for ticket in tickets.values()]
    assert kept[0] > 1.2 * kept[1]


def test_checkpoints_of_an_own_run_have_the_numbers_of_its_spectra_and_no_flags(project):
    spectra = Tables(project.folder / "results" / "tables")["spectra"]
    read = where(spectra, experiment="digits", matrix="features.4")
    own = where(spectra, experiment="digits_vgg", seed=0, matrix="features.4.weight")
    assert len(own) > 3
    about = ["experiment", "matrix"]
    read, own = (rows.drop(columns=about).reset_index(drop=True) for rows in (read, own))
    pd.testing.assert_frame_equal(read, own, check_exact=True)
    summary = project.json("results/summary.json")
    assert summary["checkpoints"]["digits"]["flagged_steps"]["mean"] == 0


def test_every_claim_is_judged_or_says_what_it_lacks(project):
    claims = project.json("results/claims.json")
    assert set(claims["rank_falls"]["subjects"]) == set(EXPERIMENTS)
    assert set(claims["late_split_connected"]["subjects"]) == {"digits_vgg"}
    assert claims["decay_lowers_rank"]["absent"].startswith("params.yaml lacks ")


def test_nothing_runs_again_in_either_way_and_git_stays_clean(project):
    assert project.dvc("repro") == []
    assert project.repro() == []
    assert project.changes() == ""


def test_dvc_shows_metrics_and_plots(project):
    assert "grokking" in project.run("dvc", "metrics", "show", "--json").stdout
    plots = json.loads(project.run("dvc", "plots", "show", "--json").stdout)
    assert "errors" not in plots
    shown = {name.split("::")[-1] for name in plots["data"]}
    assert {"metrics", "pruning", "effective_rank", "barriers", "endpoint_agreement"} <= shown


def test_changed_experiment_reruns_its_own_stages_and_reverting_costs_no_training(changed):
    key = "experiments.grokking.optimizer.weight_decay"
    found = changed.dvc("exp", "run", "-S", f"{key}=0.5", "judge")
    own = ["train@grokking", "spectra@grokking", "prune@grokking"]
    assert sorted(found) == sorted(["resolve", *own, "collect", "judge"])
    params = json.loads(changed.run("dvc", "params", "diff", "--json").stdout)
    resolved = params["results/config.json"]
    assert resolved["train.grokking.optimizer.weight_decay"] == {
        "old": 1.0,
        "new": 0.5,
        "diff": -0.5,
    }
    metrics = json.loads(changed.run("dvc", "metrics", "diff", "--json").stdout)
    assert set(metrics) == {"results/metrics.json"}
    changed_numbers = metrics["results/metrics.json"]
    assert "experiments.grokking.normalized_effective_rank" in changed_numbers
    assert not any("digits" in name for name in changed_numbers)
    changed.run("git", "checkout", "params.yaml")
    assert not set(changed.dvc("repro", "judge")) & set(own)
    assert changed.changes() == "", "a serial run has other results, or another dvc.lock"


def test_changed_code_makes_the_stages_stale_that_run_it_and_is_named(changed):
    """The stride of the UNet, and the split of a dataset."""
    changed.change(
        "src/specflow/models/unet.py", "1 if level == 0 else 2", "1 if level == 0 else 3"
    )
    both = "return generator.permutation(train), generator.permutation(validation)"
    changed.change("src/specflow/datasets/digits.py", both, "return train, validation")
    assert changed.stale() == OF_UNETS | {"prepare@digits", "report"}
    params = json.loads(changed.run("dvc", "params", "diff", "--json").stdout)
    assert set(params["results/config.json"]) == {
        "prepare.digits.code.datasets/digits.py",
        *(f"{name.replace('@', '.')}.code.models/unet.py" for name in OF_UNETS),
    }


def test_what_follows_a_stage_reads_what_it_writes(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    upstream = Graph().upstream
    assert {"train@digits_vgg", "train@digits_unet"} == {
        name for name in STAGES if "prepare@digits" in upstream[name] and "train" in name
    }
    for name in ("spectra@digits_unet", "prune@digits_unet", "sample@digits_unet", "collect"):
        assert "train@digits_unet" in upstream[name]
    assert {"train@digits_unet", *upstream["collect"]} >= OF_UNETS


def test_words_and_new_files_retrain_nothing(changed):
    """Beside them, the file of a new figure, which is drawn: what is listed is no kind."""
    for name in (
        "training/loop.py",
        "models/vgg.py",
        "datasets/digits.py",
        "spectra/quantities.py",
    ):
        text = changed.read(f"src/specflow/{name}")
        changed.write(
            f"src/specflow/{name}", text.replace('"""', '"""Other words. ', 1) + "# more\n"
        )
    for kind, package in (("model", "models"), ("dataset", "datasets"), ("figure", "figures")):
        place = f"src/specflow/{package}/another.py"
        changed.write(place, f'"""Another {kind}."""\n# kind: Literal["another"]\n')
    assert changed.stale() == {"figures", "report"}


def test_clone_without_heavy_results_judges_anew_and_runs_nothing_else(project, tmp_path):
    copy = project.cloned(tmp_path / "copy")
    assert copy.dvc("repro", "--allow-missing") == []
    copy.change("params.yaml", "rank_falls: 0", "rank_falls: -0.1")
    assert copy.dvc("repro", "--allow-missing") == ["resolve", "judge", "report"]


def test_bad_parameter_fails_before_anything_runs_and_loses_nothing(changed):
    changed.change("params.yaml", "weight_decay: 1.0", "weight_decay: '1.0'")
    done = changed.run("dvc", "repro", check=False)
    assert done.returncode != 0
    message = "experiments.grokking.optimizer.weight_decay: got '1.0'; expected a valid number"
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert "Running stage 'train" not in done.stdout
    changed.run("git", "checkout", "--quiet", "params.yaml")
    assert changed.changes() == ""
    assert changed.dvc("repro") == []


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("results/runs/grokking/seed1/trajectory.h5", "spectra@grokking"),
        ("results/tables/history.csv", "judge"),
        ("results/claims.json", "report"),
    ],
)
def test_damaged_result_is_refused_and_the_advice_makes_it_anew(changed, name, reader):
    """As a disk damages it: unseen by DVC, and in the cache too, where that has the same file."""
    path, ours = changed.folder / name, ("env", "PYTHONPATH=src", "python", "-m")
    content = path.read_bytes()
    damage_in_place(path, len(content) // 2)
    done = changed.run(*ours, "specflow.stage", *reader.split("@"), check=False)
    assert done.returncode == 1
    assert name in done.stderr
    for advice in re.findall("`(.*?)`", done.stderr):
        changed.run(*(ours if advice.startswith("specflow") else ()), *advice.split())
    assert path.read_bytes() == content
    assert changed.dvc("repro") == []
    assert changed.changes() == ""


def test_what_is_declared_no_more_goes_and_who_pulls_that_runs_nothing(changed, tmp_path):
    """Whoever has run it all before, and whoever has pulled it."""
    first, second = (changed.cloned(tmp_path / name) for name in ("first", "second"))
    for clone in (changed, first, second):
        clone.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    changed.run("dvc", "push")
    for clone in (first, second):
        clone.run("dvc", "pull")
    params = YAML(typ="safe").load(TINY)
    for name in ("digits_vgg", "grokking"):
        params["experiments"].pop(name)
    params["claims"]["grokking"] = None
    params["samples"] = {"faces": params["samples"]["digits_unet"]}
    params |= {kind: {} for kind in ("connections", "tickets", "checkpoints")}
    params["figures"] = {"dpi": 50}
    first.set_params(params)
    assert sorted(first.dvc("repro")) == sorted(["resolve", "sample@faces", *LAST])
    results = first.folder / "results"
    assert not [path for path in results.rglob("*") if "digits_vgg" in path.name]
    for folder in ("runs", "measures/spectra", "measures/pruning"):
        assert os.listdir(results / folder) == ["digits_unet"]
    assert os.listdir(results / "measures/samples") == ["faces"]
    for table in ("barriers", "tickets", "audit"):
        assert first.read(f"results/tables/{table}.csv").count("\n") == 1
    assert "branch" not in first.json("results/config.json")
    assert "digits_vgg" not in first.read("results/report/index.html")
    first.commit()
    first.run("dvc", "push")
    before = changed.run("git", "rev-parse", "HEAD").stdout.strip()
    for clone, repro in ((second, second.repro), (changed, partial(changed.dvc, "repro"))):
        clone.run("git", "pull", str(first.folder))
        clone.run("dvc", "pull")
        assert repro() == []
        assert clone.changes() == ""
    changed.run("git", "reset", "--quiet", "--hard", before)
