"""Names and texts of results are words on the page, whatever they are."""

import json

import pytest
from tests.report.made_up import claim, entry, result
from tests.report.pages import section, text, texts, written
from tests.sealed import write_csv

from specflow import paths

HOSTILE = "</script><script>alert('x')</script> & \"co\" <b>"


def tags(page):
    return [one.tag for one in page.iter()]


def test_texts_of_claims_and_figures_add_no_element(results):
    pages = []
    for word in ("harmless", HOSTILE):
        findings = {word: result(note=word, unit=word)}
        figure = entry("losses", "project", None, caption=word)
        results({"rank_falls": claim("rank_falls", findings, claim=word)}, figures=[figure])
        pages.append(written())
    assert tags(pages[0]) == tags(pages[1])
    (title,) = pages[1].iterfind(".//*[@id='claim-rank_falls-title']")
    assert text(title) == HOSTILE
    assert texts(section(pages[1], "claim-rank_falls"), "th")[-1].startswith(HOSTILE)
    assert HOSTILE in text(section(pages[1], "found"))


@pytest.mark.parametrize("word", ["train", HOSTILE])
def test_texts_of_tables_are_data_in_scripts(results, word):
    results()
    table = paths.TABLES / "history.csv"
    quoted = word.replace('"', '""')
    write_csv(table, table.read_text().replace(",train,", f',"{quoted}",'))
    (curves,) = section(written(), "experiment-digits").iterfind(".//div[@class='curves']/script")
    (panel,) = json.loads(curves.text)
    assert {curve["series"] for curve in panel["curves"]} == {word, "validation"}
