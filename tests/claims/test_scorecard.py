"""Who is judged, what is said where nobody is, and the file and the table of it."""

import json

import pytest
from ruamel.yaml import YAML

from specflow import paths
from specflow.claims.claim import all_claims
from specflow.claims.judge import judge
from specflow.claims.scorecard import markdown, read_scorecard, write_scorecard
from specflow.claims.section import JudgeSettings
from specflow.config.settings import ALL, read_settings
from specflow.frames import Tables
from specflow.json_files import write_json

BOUNDARIES = {
    "rank_falls": "< 0",
    "unequal_growth": "> 0",
    "top_half_suffices": "< 0.25",
    "top_settles_early": "lead > 0 and score > 0.5",
    "alignment_weak": "< 0.5",
    "grokking_is_low_rank": "< -0.1",
    "grokking_coincides": "< 1",
    "more_data_low_rank": "< 0",
    "decay_lowers_rank": "< -0.1",
    "memorization_is_high_rank": "> 0",
    "memorization_unaligned": "< 0",
    "tickets_keep_top": "> 0.1",
    "late_split_connected": "< 0.05",
    "connected_share_directions": "gain > 0 and score > 0.5",
    "trunks_unconnected": "> 0",
    "trunks_share_nothing": "< 2",
    "perturbation_breaks": "agreement > 0.1 and barrier > 0.05",
}


@pytest.fixture
def scorecard(world):
    """One experiment of two seeds, beside it one of a series, and a ratio that is known."""
    world.run("run", [0.5, 0.5])
    world.run("run_decay", [0.4, 0.4])
    world.series({"run": 0.0, "run_decay": 1.0}, base="run")
    for seed, top in enumerate((1.0, 1.02)):
        world.add("history", "run", seed, 10, "validation", "loss", 1.0)
        world.add("history", "run", seed, 10, "validation", "loss_baseline", 2.5)
        for keep, loss in (("top", top), ("bottom", 2.0)):
            world.add("pruning", "run", seed, 10, "validation", keep, 0.5, "loss", loss)
    return world.scorecard()


def test_claims_are_in_order_with_their_boundaries(scorecard):
    assert {name: row.holds_when for name, row in scorecard.items()} == BOUNDARIES
    assert list(scorecard) == list(BOUNDARIES)


@pytest.mark.parametrize("preset", ["presets/tiny.yaml", "presets/paper.yaml"])
def test_shipped_thresholds_are_the_same(request, raw_claims, preset):
    claims = YAML(typ="safe").load(request.config.rootpath / preset)["claims"]
    assert claims["thresholds"] == raw_claims["thresholds"]
    assert claims["confidence"] == raw_claims["confidence"] == 0.95


def test_variants_of_a_series_are_not_judged_by_themselves(scorecard):
    assert list(scorecard["rank_falls"].subjects) == ["run"]


def test_claim_without_subjects_says_what_is_lacking(scorecard):
    lacking = {name: row.absent for name, row in scorecard.items() if not row.subjects}
    assert {
        name: f"params.yaml lacks {all_claims()[name].subjects.needs}" for name in lacking
    } == lacking
    measured = {"rank_falls", "unequal_growth", "top_half_suffices", "top_settles_early"}
    assert set(all_claims()) - set(lacking) == measured | {"alignment_weak", "decay_lowers_rank"}
    assert "claims.grokking.decay and claims.grokking.no_dec" in lacking["grokking_is_low_rank"]
    assert "a connection with perturbations" in lacking["perturbation_breaks"]


def test_roles_that_are_not_all_there_make_no_comparison(world):
    world.roles(no_decay="run")
    world.run("run", [0.5, 0.5])
    scorecard = world.scorecard()
    assert scorecard["grokking_is_low_rank"].subjects == {}
    assert scorecard["more_data_low_rank"].subjects == {}


def test_file_has_the_keys_that_say_something_and_null_for_what_is_undefined(scorecard, tmp_path):
    write_scorecard(tmp_path / "claims.json", scorecard)
    rows = json.loads((tmp_path / "claims.json").read_text())
    assert set(rows["rank_falls"]) == {"claim", "statistic", "holds_when", "paper", "subjects"}
    assert set(rows["perturbation_breaks"]) == {*rows["rank_falls"], "absent"}
    finding = rows["top_half_suffices"]["subjects"]["run"]
    assert (finding["value"], finding["num_units"], finding["unit"]) == (0.01, 2, "seeds")
    assert set(finding) == {"value", "low", "high", "num_units", "unit", "verdict", "p"}
    assert rows["alignment_weak"]["subjects"]["run"]["value"] is None
    assert "note" in rows["alignment_weak"]["subjects"]["run"]


def test_file_is_read_as_it_was_written(scorecard, tmp_path):
    write_scorecard(tmp_path / "claims.json", scorecard)
    assert read_scorecard(tmp_path / "claims.json") == scorecard


def test_missing_and_broken_files_say_how_to_build_them(tmp_path):
    path = tmp_path / "claims.json"
    with pytest.raises(ValueError, match=r"there is no such file; `dvc repro judge"):
        read_scorecard(path)
    write_json(path, {"rank_falls": {"claim": 3}})
    with pytest.raises(ValueError, match=r"rank_falls.claim: got 3; .*dvc repro -sf judge"):
        read_scorecard(path)


def test_table_has_a_row_a_claim_and_says_what_is_lacking(scorecard):
    lines = markdown(scorecard).splitlines()
    assert len(lines) == 2 + len(scorecard)
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    row = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    top_half = row["the top half of every spectrum carries the function"]
    assert "(seeds) | < 0.25 | 1 ✓ | run: 0.01 [-0.117, 0.137] ✓" in top_half
    absent = row["breaking directions breaks connectivity"]
    assert "| not attempted | params.yaml lacks a connection with perturbations |" in absent
    assert "| 1 ? | run: not defined ? |" in row["neighbours align only weakly"]


def test_scorecard_in_git_can_be_recomputed_from_the_tables_in_git(request, monkeypatch, tmp_path):
    monkeypatch.chdir(request.config.rootpath)
    settings, _ = read_settings("judge", ALL, JudgeSettings)
    write_scorecard(tmp_path / "claims.json", judge(Tables(paths.TABLES), settings))
    assert paths.CLAIMS.read_bytes() == (tmp_path / "claims.json").read_bytes()
