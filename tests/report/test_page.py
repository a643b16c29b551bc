import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.report.made_up import CLAIM_IDS, claim, made_up_claims, result
from tests.report.pages import Element, parse

from specflow import paths
from specflow.claims.registry import CLAIMS
from specflow.errors import SpecflowError
from specflow.figures.index import BATCH_NORM
from specflow.report.evidence import EVIDENCE
from specflow.report.numbers import MINUS
from specflow.report.page import write_report


def written() -> Element:
    write_report()
    return parse(paths.REPORT.read_text(encoding="utf-8"))


def image_sources(element: Element) -> list[str]:
    return [Path(image.attributes["src"]).name for image in element.all("img")]


def test_every_claim_has_a_row_of_the_scorecard_and_a_section(results):
    results()
    page = written()
    rows = page.by_id("scorecard").all("tr")
    assert [row.attributes["data-claim"] for row in rows[1:]] == sorted(
        CLAIM_IDS, key=list(made_up_claims()).index
    )
    for claim_id in CLAIM_IDS:
        section = page.by_id(f"claim-{claim_id}")
        assert f"mean of {claim_id}" in section.text
    assert set(EVIDENCE) == set(CLAIM_IDS) == set(CLAIMS)


def test_verdicts_are_told_by_word_and_symbol_with_value_and_interval(results):
    results()
    scorecard = written().by_id("scorecard")
    (row,) = scorecard.all("tr", **{"data-claim": "rank_falls"})
    first, second = (item.text for item in row.all("li"))
    assert first == "✓ holds digits 0.90 [0.85, 0.95]"
    assert second == f"✗ does not hold grokking {MINUS}0.25 [{MINUS}0.50, 0.00]"
    (row,) = scorecard.all("tr", **{"data-claim": "alignment_weak"})
    assert row.all("li")[0].text.startswith("? undecided grokking")
    counts = [item.text for item in scorecard.all("ul", css="counts")[0].all("li")]
    absent = sum(not one["subjects"] for one in made_up_claims().values())
    assert counts == [
        "✓ holds 7 results",
        "✗ does not hold 1 result",
        "? undecided 1 result",
        f"○ not measured {absent} claims",
    ]


def test_absent_claim_says_what_is_missing_and_shows_no_figure(results):
    results()
    page = written()
    (row,) = page.by_id("scorecard").all("tr", **{"data-claim": "more_data_low_rank"})
    assert "○ not measured no experiment for more_data_low_rank" in row.text
    section = page.by_id("claim-more_data_low_rank")
    assert "no experiment for more_data_low_rank" in section.text
    assert section.all("table") == section.all("img") == []


def test_claim_lists_units_notes_second_statistic_null_level_and_undefined_values(results):
    results()
    page = written()
    table = page.by_id("claim-alignment_weak").all("table")[0]
    assert [head.text for head in table.all("tr")[0].all("th")] == [
        "subject", "verdict", "value", "90% interval", "n", "units", "over null level", "note",
    ]  # fmt: skip
    cells = [cell.text for cell in table.all("tr")[1].all("td")]
    assert cells == ["? undecided", "0.90", "[0.85, 0.95]", "3", "seeds", "1.7", "few pairs"]
    scored = page.by_id("claim-top_settles_early").all("table")[0].all("tr")[1]
    assert scored.all("td")[-1].text == "0.50 [0.40, 0.60]"
    undefined = page.by_id("claim-grokking_coincides").all("table")[0].all("tr")[1]
    assert [cell.text for cell in undefined.all("td")][1:3] == ["—", "—"]


def test_names_and_texts_are_escaped(results):
    name = "<script>alert('x')</script> & \"co\""
    shown = {name: result(note=name, unit=name)}
    results({"rank_falls": claim("rank_falls", shown) | {"claim": name, "statistic": name}})
    page = written()
    assert page.all("script") == []
    section = page.by_id("claim-rank_falls")
    assert section.all("h3")[0].text == name
    assert section.all("table")[0].all("tr")[1].all("th")[0].text == name


def test_every_link_and_picture_resolves_and_ids_are_unique(results):
    results()
    page = written()
    elements = [one for tag in ("section", "figure", "h2", "h3") for one in page.all(tag)]
    ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        target = link.attributes["href"]
        if target.startswith("#"):
            assert target[1:] in ids
        elif not target.startswith("https://"):
            assert (paths.REPORT.parent / target).is_file()
    for image in page.all("img"):
        assert (paths.REPORT.parent / image.attributes["src"]).is_file()
        assert image.attributes["alt"].startswith("Title of")
        assert (image.attributes["width"], image.attributes["height"]) == ("40", "20")


def test_every_figure_is_shown_in_full_once(results):
    results()
    page = written()
    full = [figure for figure in page.all("figure") if "id" in figure.attributes]
    shown = [name for figure in full for name in image_sources(figure)]
    assert sorted(shown) == sorted(path.name for path in paths.FIGURES.iterdir())
    assert set(image_sources(page.by_id("experiment-grokking"))) == {
        "effective_rank_grokking.png",
        "losses_grokking.png",
    }
    connection = page.by_id("connection-digits")
    assert {"barriers_digits.png", "end_agreement_digits.png"} == set(image_sources(connection))
    assert image_sources(page.by_id("sample-images")) == ["samples_images.png"]
    assert image_sources(page.by_id("other-figures")) == ["errors.png"]


def test_captions_of_pruned_models_say_what_batch_norm_does(results):
    results()
    page = written()
    captions = {
        image_sources(figure)[0]: figure.all("figcaption")[0].text
        for figure in page.all("figure")
        if "id" in figure.attributes
    }
    assert captions["losses_grokking.png"] == f"Title of losses: grokking. {BATCH_NORM}"
    assert captions["samples_images.png"].endswith(BATCH_NORM)
    assert captions["barriers_digits.png"] == "Title of barriers: digits"


def test_claims_show_the_figures_of_their_kinds_and_subjects(results):
    results()
    page = written()
    shown = {name: image_sources(page.by_id(f"claim-{name}")) for name in CLAIM_IDS}
    assert shown["rank_falls"] == ["effective_rank_digits.png", "effective_rank_grokking.png"]
    assert shown["grokking_is_low_rank"] == ["grokking.png", "effective_rank_grokking.png"]
    assert shown["tickets_keep_top"] == ["tickets_digits.png"]
    assert shown["late_split_connected"] == ["barriers_digits.png"]
    ticket = page.by_id("ticket-digits_magnitude")
    assert image_sources(ticket) == ["tickets_digits.png"]


def test_claims_and_subjects_link_to_each_other(results):
    results()
    page = written()

    def targets(section: str) -> set[str]:
        return {link.attributes["href"] for link in page.by_id(section).all("a")}

    assert {"#experiment-digits", "#experiment-grokking"} <= targets("claim-rank_falls")
    assert "#connection-digits" in targets("claim-late_split_connected")
    assert "#experiment-digits" not in targets("claim-late_split_connected")
    assert "#claim-rank_falls" in targets("experiment-digits")
    assert "#claim-late_split_connected" in targets("connection-digits")
    assert {"#connection-digits", "#ticket-digits_magnitude"} <= targets("experiment-digits")
    assert "#experiment-digits" in targets("ticket-digits_magnitude")
    assert "#connection-digits" not in targets("experiment-grokking")
    assert "#experiment-digits" in targets("claim-tickets_keep_top")
    assert "#claim-tickets_keep_top" in targets("experiment-digits")


def test_subjects_show_every_parameter_and_final_metric(results):
    results()
    section = written().by_id("experiment-digits")
    values = {
        entry.all("dt")[0].text: entry.all("dd")[0].text
        for entry in section.all("details")[0].all("div")
        if entry.all("dt") and "class" not in entry.attributes
    }
    assert values == {
        "problem.kind": "classification",
        "optimizer.kind": "sgd",
        "optimizer.betas": "0.9, 0.98",
        "optimizer.weight_decay": "0.0001",
        "gradient_clip": "none",
        "experiment": "digits",
    }
    first, pruned = (table.text for table in section.all("table"))
    assert "train/loss 0.123 ± 0.012" in first
    assert "alignment_score —" in first
    assert pruned.endswith("top_0.5 0.123 ± 0.012 bottom_0.5 —")


def test_what_is_not_declared_is_not_shown(results):
    results()
    stale = paths.experiment_config("stale", "training")
    stale.parent.mkdir()
    stale.write_text("{}")
    (paths.FIGURES / "losses_stale.png").write_bytes(b"")
    write_report()
    assert "stale" not in paths.REPORT.read_text()


def test_the_same_results_give_the_same_bytes_wherever_they_lie(results, workplace):
    results()
    write_report()
    first = paths.REPORT.read_bytes()
    write_report()
    assert paths.REPORT.read_bytes() == first
    assert str(workplace).encode() not in first


def test_nothing_was_run_is_a_page_too(results):
    results({name: claim(name, absent="nothing") for name in CLAIM_IDS}, figures=())
    paths.COLLECT_CONFIG.write_text("{}")
    page = written()
    assert page.all("img") == []
    assert [section.attributes["id"] for section in page.all("section")][:2] == [
        "scorecard",
        "claims",
    ]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (paths.FIGURES / "grokking.png", None, r"there is no figure .*grokking\.png; .*figures"),
        (paths.FIGURES / "grokking.png", "text", r"grokking\.png is no picture with a title"),
        (paths.CLAIMS, None, r"there is no scorecard .*claims\.json; .*dvc repro judge"),
        (paths.FIGURES_INDEX, "[{}]", r"figures\.json: 0\.file: got {}; Field required"),
        (paths.SUMMARY, "[]", r"summary\.json: .*top level: got \[\]; Input should be"),
        (paths.experiment_config("digits", "training"), None, r"digits has no config"),
    ],
)
def test_missing_or_broken_result_is_named_and_nothing_is_written(results, path, content, message):
    results()
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(SpecflowError, match=message):
        write_report()
    assert not paths.REPORT.exists()


def test_unknown_verdict_is_refused(results):
    results({"rank_falls": claim("rank_falls", {"digits": result("maybe")})})
    with pytest.raises(SpecflowError, match=r"(?s)claims\.json .*verdict.*maybe"):
        write_report()


def test_reporting_imports_neither_torch_nor_matplotlib():
    program = (
        "import sys, specflow.report.page\nprint({'torch', 'matplotlib', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "set()", done.stderr
