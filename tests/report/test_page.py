import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.report.made_up import CLAIMS, claim, config_of, resolved_config, result
from tests.report.pages import pictures, section, text, texts, written
from tests.sealed import write_csv

from specflow import paths
from specflow.errors import SpecflowError
from specflow.json_files import write_json
from specflow.report.page import write_report
from specflow.report.subjects import flat


def test_scorecard_has_a_row_a_claim_that_says_how_often_each_verdict_is(results):
    results()
    scorecard = section(written(), "scorecard")
    rows = {
        row.get("data-claim"): row
        for row in scorecard.iter("details")
        if "data-claim" in row.attrib
    }
    assert [*rows] == [*CLAIMS]
    assert texts(rows["rank_falls"], "summary") == ["claim rank_falls ✓ 1 holds ✗ 1 does not hold"]
    assert texts(rows["more_data_low_rank"], "summary")[0].endswith("○ not attempted")
    verdicts = {name: row.get("data-verdicts").split() for name, row in rows.items()}
    assert verdicts["rank_falls"] == ["holds", "does-not-hold"]
    assert verdicts["more_data_low_rank"] == ["not-attempted"]
    buttons = {
        one.get("data-show"): text(one)
        for one in scorecard.iter("button")
        if "data-show" in one.attrib
    }
    assert buttons == {
        "": "all 7 claims",
        "holds": "✓ holds 6 results",
        "does-not-hold": "✗ does not hold 1 result",
        "undecided": "? undecided 1 result",
        "not-attempted": "○ not attempted 1 claim",
    }


def test_claim_lists_all_that_was_found_beside_what_the_paper_says(results):
    results()
    page = written()
    for claim_id in CLAIMS:
        shown = text(section(page, f"claim-{claim_id}"))
        assert f"mean of {claim_id}" in shown
        assert f"the paper on {claim_id}" in shown

    def first_row(claim_id):
        head, row = list(section(page, f"claim-{claim_id}").iter("tr"))[:2]
        return dict(zip(texts(head, "th"), [text(cell) for cell in row], strict=True))

    assert first_row("alignment_weak") == {
        "subject": "grokking few pairs",
        "verdict": "? undecided",
        "value": "0.90",
        "95% interval": "[0.85, 0.95]",
        "p": "0.25",
        "units": "3 seeds",
        "would decide": "about 12 seeds",
        "over null level": "1.7",
    }
    assert first_row("top_settles_early")["score"] == "0.50 [0.40, 0.60]"
    undefined = first_row("grokking_coincides")
    assert undefined["value"] == undefined["95% interval"] == undefined["p"] == "—"
    absent = section(page, "claim-more_data_low_rank")
    assert "no experiment with more data" in text(absent)
    assert texts(absent, "table") == pictures(absent) == []


def test_every_link_and_picture_resolves_and_ids_are_unique(results):
    results()
    page = written()
    ids = [one.get("id") for one in page.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    for target in (link.attrib["href"] for link in page.iter("a")):
        if target.startswith("#"):
            assert target[1:] in ids
        elif not target.startswith("https://"):
            assert (paths.REPORT.parent / target).is_file()
    for image in (one for one in page.iter("img") if "width" in one.attrib):
        assert (image.get("width"), image.get("height")) == ("40", "20")
        if "src" in image.attrib:
            assert (paths.REPORT.parent / image.attrib["src"]).is_file()
            assert image.attrib["alt"].startswith("Title of")
        else:
            assert image.attrib["data-figure"] in ids


@pytest.mark.parametrize(
    ("place", "linked", "not_linked"),
    [
        ("claim-rank_falls", {"experiment-digits", "experiment-grokking"}, {"connection-digits"}),
        ("claim-late_split_connected", {"connection-digits"}, {"experiment-digits"}),
        ("claim-tickets_keep_top", {"experiment-digits"}, set()),
        ("connection-digits", {"claim-late_split_connected", "experiment-digits"}, set()),
        ("ticket-digits_magnitude", {"experiment-digits"}, set()),
        ("experiments", {"experiment-digits", "experiment-grokking"}, set()),
        ("connections", {"connection-digits"}, set()),
        (
            "experiment-digits",
            {"claim-rank_falls", "claim-tickets_keep_top", "connection-digits"}
            | {"ticket-digits_magnitude", "ticket-digits_random"},
            {"claim-late_split_connected", "sample-images"},
        ),
        ("experiment-digits_unet", {"sample-images"}, {"connection-digits"}),
        ("sample-images", {"experiment-digits_unet"}, {"experiment-digits"}),
        ("experiment-grokking", {"claim-rank_falls"}, {"connection-digits"}),
    ],
)
def test_claims_and_subjects_link_to_each_other(results, place, linked, not_linked):
    results()
    targets = {link.attrib["href"][1:] for link in section(written(), place).iter("a")}
    assert linked <= targets
    assert not not_linked & targets


def test_subjects_show_every_setting_but_no_code_and_final_metrics(results):
    results()
    digits = section(written(), "experiment-digits")
    (settings,) = digits.iterfind("details[summary='Parameters']")
    assert texts(settings, "h4") == ["train", "spectra", "prune"]
    config = resolved_config()
    expected = [flat(config[stage]["digits"]) for stage in ("train", "spectra", "prune")]
    for shown, own in zip(settings.iter("dl"), expected, strict=True):
        assert dict(zip(texts(shown, "dt"), texts(shown, "dd"), strict=True)) == own
    some = {"optimizer.kind": "sgd", "optimizer.weight_decay": "0.0001", "gradient_clip": "none"}
    assert some.items() <= expected[0].items()
    assert not [key for own in expected for key in own if key.startswith("code")]
    runs, first, pruned = texts(digits, "table")
    assert runs.endswith("seed 0 0.5 0.75 seed 1 0.25 —")
    assert "train/loss 0.123 ± 0.012" in first
    assert "alignment_score —" in first
    assert pruned.endswith("top_0.5 0.123 ± 0.012 bottom_0.5 —")


def test_findings_of_one_claim_on_several_tickets_of_an_experiment_can_be_told_apart(results):
    found = {f"digits, density {density}, step 36": result() for density in (0.05, 0.01)}
    results({"tickets_keep_top": claim("tickets_keep_top", found)})
    (verdicts,) = section(written(), "experiment-digits").iterfind("ul[@class='verdicts']")
    told = [f"claim tickets_keep_top (density {density}, step 36)" for density in (0.05, 0.01)]
    assert [text(one) for one in verdicts.iterfind("li/span[@class='name']")] == told


def test_experiments_have_the_titles_of_figures_beside_their_names(results):
    results()
    page = written()
    heads = {one.get("id"): text(one) for one in page.iter("h3")}
    assert heads["experiment-digits_unet-title"] == "digits unet digits_unet"
    assert heads["ticket-digits_magnitude-title"] == "digits_magnitude"


def test_what_starts_from_an_experiment_says_so_and_the_experiment_too(results):
    results()
    page = written()

    def facts(place):
        (found,) = section(page, place).iterfind("dl")
        return dict(zip(texts(found, "dt"), texts(found, "dd"), strict=True))

    assert facts("connection-digits")["experiment"] == "digits"
    assert facts("ticket-digits_magnitude")["experiment"] == "digits"
    assert facts("sample-images")["experiment"] == "digits_unet"
    assert "experiment" not in facts("experiment-digits") | facts("checkpoint-public")
    (started,) = section(page, "experiment-digits").iterfind("p[@class='started']")
    assert text(started).startswith("Starts from it:")
    named = ["connection digits", "ticket digits_magnitude", "ticket digits_random"]
    assert texts(started, "a") == named


def test_a_kind_of_experiment_that_the_report_does_not_know_has_a_section_with_its_experiment(
    results,
):
    config = config_of("experiments")
    config["collect"]["all"]["entries"]["distances"] = {"ends": {"experiment": "digits"}}
    known = config["report"]["all"]
    stages = known["stages"] | {"distances": ["distance"]}
    config["report"] = {"all": known | {"stages": stages}}
    config["distance"] = {"ends": {"experiment": "digits", "seeds": [0, 1]}}
    results(config=config)
    page = written()
    ends = section(page, "distance-ends")
    assert texts(ends, "dt")[0] == "experiment"
    assert texts(ends, "h4") == ["distance"]
    assert texts(page, "h2").index("Distances") > texts(page, "h2").index("Experiments")
    assert "Starts from it: distance ends" in text(section(page, "experiment-digits"))


def test_the_same_results_give_the_same_bytes_wherever_they_lie(results, workplace):
    results()
    (paths.FIGURES / "losses_stale.png").write_bytes(b"")  # what is not listed is not shown
    write_report()
    first = paths.REPORT.read_bytes()
    write_report()
    assert paths.REPORT.read_bytes() == first
    assert str(workplace).encode() not in first
    assert b"stale" not in first


def test_nothing_was_run_is_a_page_too(results):
    absent = {name: claim(name, absent="nothing") for name in CLAIMS}
    results(absent, figures=(), config=config_of())
    sections = [one.get("id") for one in written().iter("section")]
    assert sections == ["found", "scorecard", *(f"claim-{name}" for name in CLAIMS)]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (
            paths.FIGURES / "grokking.png",
            None,
            r"grokking\.png: there is no such figure; .*repro",
        ),
        (paths.FIGURES / "grokking.png", "text", r"grokking\.png: is no picture"),
        (paths.CLAIMS, None, r"claims\.json: there is no such file; .*dvc repro judge"),
        (paths.FIGURES_INDEX, {"figures": [{}]}, r"figures\.json: figures\.0\.file: got {}; Field"),
        (paths.SUMMARY, "[]", r"summary\.json: damaged or edited"),
        (paths.CONFIG, None, r"config\.json: there is no such file; `dvc repro resolve`"),
        (paths.CONFIG, {}, r"config\.json: judge\.all\.claims\.confidence: got {}; Field required"),
        (
            paths.CONFIG,
            {"judge": {"all": {"claims": {"confidence": 2}}}},
            r"judge\.all\.claims\.confidence: got 2",
        ),
        (paths.TABLES / "audit.csv", None, r"audit\.csv: there is no such table"),
        (
            paths.TABLES / "audit.csv",
            "experiment,step\npublic,x\n",
            r"audit\.csv: column 'step'",
        ),
        (
            paths.TABLES / "audit.csv",
            "experiment,step\npublic,1\n",
            r"public: no column 'flag'",
        ),
    ],
)
def test_missing_or_broken_result_is_named_and_nothing_is_written(results, path, content, message):
    results()
    path.unlink()
    if content is not None:
        write = write_json if isinstance(content, dict) else Path.write_text
        (write_csv if path.suffix == ".csv" else write)(path, content)
    with pytest.raises(SpecflowError, match=message):
        write_report()
    assert not paths.REPORT.exists()


def test_unknown_verdict_is_refused(results):
    results({"rank_falls": claim("rank_falls", {"digits": result("maybe")})})
    with pytest.raises(SpecflowError, match=r"(?s)claims\.json: .*verdict.*maybe"):
        write_report()


def test_reporting_imports_neither_torch_nor_matplotlib():
    program = "import sys, specflow.report.page\nprint({'torch', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "set()", done.stderr
