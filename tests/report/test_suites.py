"""Sections of suites on the page."""

import csv
import json

import pytest
from tests.report.made_up import write_json

from specflow import paths
from specflow.errors import SpecflowError
from specflow.report.page import read_page, render

FLAG = ("public", 120, "all", "out_of_order", "fits in the place of step 80 <&>")
FIGURES = (("suite_agreement", "public"), ("effective_rank", "grokking"))


def write_suites(*flags):
    declared = json.loads(paths.COLLECT_CONFIG.read_text())
    names = ("public", "sound")
    write_json(paths.COLLECT_CONFIG, declared | {"suites": {name: {} for name in names}})
    for name in names:
        config = {"path": "models/public", "files": ["step*"], "layout": "gpt_neox"}
        write_json(paths.suite_config(name), config)
    paths.TABLES.mkdir(parents=True)
    with (paths.TABLES / "suite_audit.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("suite", "step", "matrix", "flag", "evidence"))
        writer.writerows(flags)


def test_a_suite_has_its_flags_figures_and_parameters(results):
    results(figures=FIGURES)
    write_suites(FLAG)
    html = render(read_page())
    public = html.partition('id="suite-public"')[2].partition('id="suite-sound"')[0]
    assert "<td>out of order</td><td>fits in the place of step 80 &lt;&amp;&gt;</td>" in public
    assert "Title of suite_agreement: public" in public
    assert "Title of effective_rank" not in public
    assert "gpt_neox" in public
    assert '<li><a href="#suites">Suites</a></li>' in html


def test_a_sound_suite_says_so_and_nothing_else_has_an_audit(results):
    results(figures=FIGURES)
    write_suites(FLAG)
    html = render(read_page())
    assert "No flags: every step" in html.partition('id="suite-sound"')[2]
    assert html.count("<h4>Audit</h4>") == 2


def test_without_suites_no_table_of_flags_is_read(results):
    results()
    assert "Audit" not in render(read_page())


@pytest.mark.parametrize("content", ["suite,step\npublic,1\n", "suite,step,matrix\n,x,y\n"])
def test_broken_table_of_flags_is_named(results, content):
    results()
    write_suites(FLAG)
    (paths.TABLES / "suite_audit.csv").write_text(content)
    with pytest.raises(SpecflowError, match=r"suite_audit\.csv: no table of flags"):
        read_page()


def test_missing_table_of_flags_is_named(results):
    results()
    write_suites(FLAG)
    (paths.TABLES / "suite_audit.csv").unlink()
    with pytest.raises(SpecflowError, match=r"there is no table .*suite_audit\.csv"):
        read_page()
