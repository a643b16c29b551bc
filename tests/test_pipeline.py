"""The whole graph on the tiny preset: real `dvc repro` in a temporary clone."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specflow.tables.reading import Tables

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.slow


class Project:
    """A clone of the working tree, on the tiny preset."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "SPECFLOW_DEVICE": "cpu",
            "SPECFLOW_WORKERS": "1",
        } | {
            f"GIT_{role}_{key}": "test@test"
            for role in ("AUTHOR", "COMMITTER")
            for key in ("NAME", "EMAIL")
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def stages_run_by(self, *command: str) -> list[str]:
        """Return the stages whose commands a dvc command ran, in order."""
        lines = self.run("dvc", *command).stdout.splitlines()
        running = [line.split("'")[1] for line in lines if line.startswith("Running stage")]
        return running

    def change(self, old: str, new: str) -> None:
        params = self.folder / "params.yaml"
        text = params.read_text()
        assert text.count(old) == 1, old
        params.write_text(text.replace(old, new))

    def summary(self) -> dict:
        return json.loads((self.folder / "results/metrics/summary.json").read_text())

    def tracked(self) -> dict[str, bytes]:
        folders = ("config", "metrics", "tables", "figures", "report")
        results = self.folder / "results"
        files = [p for f in folders for p in (results / f).rglob("*") if p.is_file()]
        files += [results / "claims.json", results / "figures.json"]
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in files}


def clone(folder: Path) -> Project:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (name.startswith("results/") and name != "results/.gitignore") or name == "dvc.lock":
            continue
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    shutil.copy(ROOT / "presets" / "tiny.yaml", folder / "params.yaml")
    project = Project(folder)
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "clone")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The clone after its first whole run, committed."""
    project = clone(tmp_path_factory.mktemp("clone"))
    project.first_run = project.stages_run_by("repro")  # type: ignore[attr-defined]
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "results")
    return project


def test_every_stage_runs_once(project):
    per_experiment = [
        f"{stage}@{name}"
        for stage in ("train", "spectra", "prune")
        for name in ("grokking", "digits_vgg", "digits_unet")
    ]
    expected = ["resolve", "prepare@addition", "prepare@digits", *per_experiment]
    tickets = ("digits_magnitude", "digits_random")
    expected += [f"{stage}@{name}" for stage in ("retrain", "compare") for name in tickets]
    expected += ["branch@digits_vgg", "connect@digits_vgg", "sample@digits_unet"]
    expected += ["suite@digits"]
    expected += ["collect", "judge", "figures", "report"]
    assert sorted(project.first_run) == sorted(expected)


def test_results_are_there_and_small(project):
    names = set(project.tracked())
    assert {"results/claims.json", "results/report/index.html"} <= names
    tables = ("history", "spectra", "alignment", "pruning", "barriers", "end_agreement", "samples")
    of_tickets = ("tickets", "ticket_masks", "ticket_history", "ticket_spectra")
    of_suites = ("suite_spectra", "suite_alignment", "suite_matrices", "suite_audit")
    for table in (*tables, *of_tickets, *of_suites):
        assert f"results/tables/{table}.csv" in names
    of_vgg = ("effective_rank", "tickets", "barriers", "across", "perturbation")
    for figure in (
        "grokking",
        "errors",
        "samples_digits_unet",
        "suite_agreement_digits",
        *(f"{name}_digits_vgg" for name in of_vgg),
    ):
        assert f"results/figures/{figure}.png" in names
    folder = project.folder / "results" / "tables"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000


def test_summary_has_mean_and_std_of_every_experiment_and_connection(project):
    summary = project.summary()
    assert set(summary["experiments"]) == {"grokking", "digits_vgg", "digits_unet"}
    grokking = summary["experiments"]["grokking"]
    assert 0 <= grokking["validation/error"]["mean"] <= 1
    assert grokking["normalized_effective_rank"]["std"] >= 0
    assert grokking["pruned"]["bottom_0.5"]["train/loss"]["mean"] > 0
    splits = summary["connections"]["digits_vgg"]
    across = {"across_split_0", "across_split_9"}
    assert set(splits) == {"split_0", "split_9", "perturbed_0.5"} | across
    assert set(splits["split_0"]["validation/loss_barrier"]) == {"mean", "std"}


def test_magnitude_ticket_keeps_more_of_the_top_directions_than_a_random_one(project):
    tickets = project.summary()["tickets"]
    assert set(tickets) == {"digits_magnitude", "digits_random"}
    for ticket in tickets.values():
        assert ticket["density"]["mean"] == pytest.approx(0.2, abs=1e-3)
        assert 0 <= ticket["validation/error"]["mean"] <= 1
    kept = [ticket["masked_agreement_score"]["mean"] for ticket in tickets.values()]
    assert kept[0] > 1.2 * kept[1]


def test_suite_of_an_own_run_has_the_numbers_of_its_spectra_and_no_flags(project):
    tables = Tables(project.folder / "results" / "tables")
    suite = tables["suite_spectra"].where(suite="digits")
    spectra = tables["spectra"].where(experiment="digits_vgg", seed=0)
    assert "features.4" in suite.distinct("matrix")
    for quantity in ("effective_rank", "agreement_score", "frobenius_norm"):
        own = spectra.where(matrix="features.4.weight").numbers(quantity)
        found = suite.where(matrix="features.4").numbers(quantity)
        assert found == pytest.approx(own, rel=1e-3, abs=1e-4)
    assert project.summary()["suites"]["digits"]["flagged_steps"]["mean"] == 0


def test_every_claim_is_judged_or_says_what_it_lacks(project):
    claims = json.loads((project.folder / "results/claims.json").read_text())
    assert set(claims["rank_falls"]["subjects"]) == {"grokking", "digits_vgg", "digits_unet"}
    assert set(claims["late_split_connected"]["subjects"]) == {"digits_vgg"}
    assert claims["decay_lowers_rank"]["absent"].startswith("params.yaml lacks ")


def test_another_threshold_judges_anew_and_nothing_else(project):
    project.change("rank_falls: 0.8", "rank_falls: 0.7")
    assert project.stages_run_by("repro") == ["resolve", "judge", "report"]
    project.run("git", "checkout", ".")


def test_nothing_runs_again_and_git_stays_clean(project):
    assert project.stages_run_by("repro") == []
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_dvc_shows_metrics_and_plots(project):
    assert "grokking" in project.run("dvc", "metrics", "show", "--json").stdout
    plots = json.loads(project.run("dvc", "plots", "show", "--json").stdout)
    assert "errors" not in plots
    shown = {name.split("::")[-1] for name in plots["data"]}
    assert {"metrics", "pruning", "effective_rank", "barriers", "end_agreement"} <= shown


def test_changed_experiment_reruns_its_own_stages_and_reverting_costs_no_training(project):
    key = "experiments.grokking.optimizer.weight_decay"
    ran = project.stages_run_by("exp", "run", "-S", f"{key}=0.5")
    own = ["train@grokking", "spectra@grokking", "prune@grokking"]
    assert sorted(ran) == sorted(["resolve", *own, "collect", "judge", "figures", "report"])
    difference = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    changed = difference["results/metrics/summary.json"]
    assert any(name.startswith("experiments.grokking.") for name in changed)
    judged = difference["results/claims.json"]
    assert any(name.endswith(".subjects.grokking.value") for name in judged)
    assert not any("digits" in name for name in changed)
    project.run("git", "checkout", "params.yaml")
    ran = project.stages_run_by("repro")
    assert not set(ran) & {"train@grokking", "spectra@grokking", "prune@grokking"}
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_what_is_measured_of_connections_trains_nothing(project):
    project.change("num_points: 3", "num_points: 4")
    project.change("across_trunks: true", "across_trunks: false")
    ran = project.stages_run_by("repro")
    assert sorted(ran) == ["collect", "connect@digits_vgg", "figures", "judge", "report", "resolve"]
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")


def test_other_noise_samples_again_and_nothing_else(project):
    project.change("noise_seed: 0", "noise_seed: 1")
    ran = project.stages_run_by("repro")
    own = ["sample@digits_unet", "collect", "judge", "figures", "report"]
    assert sorted(ran) == sorted(["resolve", *own])
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")


def test_figures_are_redrawn_without_any_heavy_result(project, tmp_path):
    copy = Project(tmp_path / "copy")
    project.run("git", "clone", "--quiet", str(project.folder), str(copy.folder))
    assert copy.stages_run_by("repro", "--allow-missing") == []
    copy.change("dpi: 60", "dpi: 50")
    ran = copy.stages_run_by("repro", "--allow-missing")
    assert sorted(ran) == ["figures", "report", "resolve"]


def test_bad_parameter_fails_before_anything_runs_and_loses_nothing(project):
    project.change("weight_decay: 1.0", "weight_decay: '1.0'")
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    message = "experiments.grokking.optimizer.weight_decay: got '1.0'; expected a valid number"
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert "Running stage 'train" not in done.stdout
    project.run("git", "checkout", "params.yaml")
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.stages_run_by("repro") == []


def test_killed_training_ends_with_the_bytes_of_an_undisturbed_one(project):
    project.change("num_epochs: 60", "num_epochs: 600")
    command = ("dvc", "repro", "train@grokking")
    scratch = project.folder / ".specflow" / "scratch"
    killed = subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL
    )
    while not list(scratch.glob("grokking-seed1*/resume.pt")):
        assert killed.poll() is None
        time.sleep(0.01)
    time.sleep(random.random() / 2)
    killed.kill()
    killed.wait()
    resumed = project.run(*command)
    assert "Running stage 'train@grokking'" in resumed.stdout
    runs = project.folder / "results" / "runs" / "grokking"
    after_kill = [(runs / f"seed{seed}" / "trajectory.h5").read_bytes() for seed in (0, 1)]
    project.environment["SPECFLOW_WORKERS"] = "2"
    project.run("dvc", "repro", "--force", "--single-item", "train@grokking")
    undisturbed = [(runs / f"seed{seed}" / "trajectory.h5").read_bytes() for seed in (0, 1)]
    assert after_kill == undisturbed
    project.environment["SPECFLOW_WORKERS"] = "1"
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")


def test_project_without_optional_sections_runs(project):
    section = re.compile(r"^(connections|tickets|samples|suites):\n(  .*\n)+", flags=re.MULTILINE)
    text = (project.folder / "params.yaml").read_text()
    (project.folder / "params.yaml").write_text(section.sub(r"\1: {}\n", text))
    ran = project.stages_run_by("repro")
    assert sorted(ran) == ["collect", "figures", "judge", "report", "resolve"]
    names = project.tracked()
    assert "results/config/connections/digits_vgg/branch.json" not in names
    assert "results/config/tickets/digits_random/retrain.json" not in names
    assert not any(name.startswith("results/figures/tickets") for name in names)
    for table in ("barriers", "samples", "suite_spectra"):
        assert names[f"results/tables/{table}.csv"].count(b"\n") == 1
