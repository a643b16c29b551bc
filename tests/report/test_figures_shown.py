"""Where the page shows figures: in full once, small wherever they bear on something."""

import pytest
from tests.report.made_up import entry
from tests.report.pages import pictures, section, shown_in_full, written

from specflow import paths
from specflow.report.numbers import MINUS


def test_every_figure_is_shown_in_full_once_with_its_caption(results):
    results()
    page = written()
    full = [one for figure in page.iter("figure") for one in shown_in_full(figure)]
    assert sorted(full) == sorted(path.name for path in paths.FIGURES.iterdir())
    assert shown_in_full(section(page, "experiment-grokking")) == {
        "effective_rank_grokking.png": "Title of effective_rank: grokking. "
        f"✗ does not hold claim rank_falls {MINUS}0.25 [{MINUS}0.50, 0.00] "
        "✓ holds claim grokking_coincides",
        "losses_grokking.png": "Title of losses: grokking. Statistics & <note> "
        "✓ holds claim grokking_coincides",
    }
    assert shown_in_full(section(page, "claim-grokking_coincides")) == {
        "grokking.png": "Title of grokking: None. ✓ holds claim grokking_coincides"
    }
    for place, name in {
        "connection-digits": "barriers_digits.png",
        "sample-images": "samples_images.png",
        "checkpoint-public": "effective_rank_public.png",
        "claim-grokking_coincides": "grokking.png",
        "other-figures": "errors.png",
    }.items():
        assert [*shown_in_full(section(page, place))] == [name]


@pytest.mark.parametrize(
    ("kinds", "on_top"),
    [
        (("errors",), []),
        (("barrier_and_agreement", "errors"), ["barrier_and_agreement.png"]),
        (("barrier_and_agreement", "schematic"), ["schematic.png"]),
    ],
)
def test_the_figure_that_stands_for_all_is_on_top_and_nowhere_else(results, kinds, on_top):
    results(figures=[entry(kind, "project", None, "rank_falls") for kind in kinds])
    page = written()
    assert [*shown_in_full(section(page, "found"))] == on_top
    full = [one for figure in page.iter("figure") for one in shown_in_full(figure)]
    assert sorted(full) == sorted(f"{kind}.png" for kind in kinds)


def test_figures_that_are_folded_are_in_folds_of_their_title(results):
    several = [
        entry(kind, "experiments", "digits", folded=kind == "agreement")
        for kind in ("agreement", "losses")
    ]
    results(figures=several)
    digits = section(written(), "experiment-digits")
    (fold,) = digits.iterfind("details[summary='Title of agreement: digits']")
    assert [*shown_in_full(fold)] == ["agreement_digits.png"]
    assert [one.get("id") for one in digits.iterfind("figure")] == ["figure-losses_digits"]


@pytest.mark.parametrize(
    ("members", "found"), [(("digits",), "✓ holds"), ((), "✓ 1 holds ✗ 1 does not hold")]
)
def test_below_a_figure_stands_what_was_found_on_what_it_shows(results, members, found):
    results(figures=[entry("spectra", "project", None, "rank_falls", members=members)])
    (caption,) = shown_in_full(section(written(), "claim-rank_falls")).values()
    assert caption.startswith(f"Title of spectra: None. {found} claim rank_falls")


def test_claims_show_the_figures_that_bear_on_them_of_their_subjects(results):
    results()
    page = written()
    for place, names in {
        "claim-rank_falls": ["effective_rank_digits", "effective_rank_grokking"],
        "claim-grokking_coincides": ["grokking", "effective_rank_grokking", "losses_grokking"],
        "claim-tickets_keep_top": ["retrained_digits"],
        "claim-late_split_connected": ["barriers_digits"],
        "ticket-digits_magnitude": ["retrained_digits"],
    }.items():
        assert pictures(section(page, place)) == [f"{name}.png" for name in names]
