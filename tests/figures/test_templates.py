"""The Vega-Lite templates of `dvc plots`, filled by DVC's own renderer."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer
from tests.browser import BINARY, opened

TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"
PLOTS = [
    ("metrics", "history", "step", "value"),
    ("variants", "pruning", "step", "value"),
    ("curves", "spectra", "step", "normalized_effective_rank"),
    ("curves", "spectra", "step", "agreement_score"),
    ("curves", "alignment", "step", "alignment_score"),
    ("variants", "barriers", "split_step", "barrier"),
    ("curves", "endpoint_agreement", "split_step", "agreement_score"),
]


def objects_in(spec: object) -> Iterator[dict]:
    """Every object of a specification, its data left out."""
    if isinstance(spec, dict):
        yield spec
        spec = [value for key, value in spec.items() if key != "data"]
    if isinstance(spec, list):
        for value in spec:
            yield from objects_in(value)


def columns_read(spec: object) -> set[str]:
    """Every column that a specification reads, those that it makes itself left out."""
    objects = list(objects_in(spec))
    read = [name for one in objects for name in (one.get("field"), *one.get("groupby", ()))]
    made = {one["as"] for one in objects if "as" in one}
    return {name for name in read if isinstance(name, str)} - made


@pytest.mark.parametrize(("template", "table", "x", "y"), PLOTS)
def test_templates_are_filled_from_the_tables(make_tables, template, table, x, y):
    with (make_tables(connections=("vgg",)) / f"{table}.csv").open() as file:
        rows = [{**row, "rev": "workspace"} for row in csv.DictReader(file)]
    labels = {"title": "A title", "x_label": "time", "y_label": "quantity"}
    renderer = VegaRenderer(
        rows, table, template=template, template_dir=str(TEMPLATES), x=x, y=y, **labels
    )
    spec = json.loads(renderer.partial_html())
    assert "<DVC_" not in json.dumps(spec)
    assert spec["data"]["values"] == rows
    assert spec["title"] == "A title"
    transforms = json.dumps(spec["transform"])
    assert f"datum['{x}']" in transforms
    assert f"datum['{y}']" in transforms
    # of two kinds of tables, each template names the units of both
    units = {"seed", "trunks", "branches"}
    assert columns_read(spec) - units <= set(rows[0])


@pytest.mark.parametrize("template", ["variants", "curves"])
def test_templates_of_connections_show_lines_within_a_trunk(template):
    spec = json.loads((TEMPLATES / f"{template}.json").read_text())
    filters = [step.get("filter") for step in spec["transform"]]
    assert "!datum.relation || datum.relation == 'within'" in filters


def test_every_template_is_used():
    assert {path.stem for path in TEMPLATES.glob("*.json")} == {plot[0] for plot in PLOTS}


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program")
def test_plots_are_drawn_without_a_network(make_tables, tmp_path):
    renderers = []
    for place, (template, table, x, y) in enumerate(PLOTS):
        with (make_tables(connections=("vgg",)) / f"{table}.csv").open() as file:
            rows = [{**row, "rev": "workspace"} for row in csv.DictReader(file)]
        texts = {"title": "A title", "x_label": "time", "y_label": "quantity"}
        named = f"{table}_{place}"
        renderers.append(
            VegaRenderer(
                rows, named, template=template, template_dir=str(TEMPLATES), x=x, y=y, **texts
            )
        )
    page = tmp_path / "plots" / "index.html"
    render_html(renderers, page, html_template=TEMPLATES / "page.html")
    document, console = opened(tmp_path / "profile", page)
    assert console == []
    assert document.count("<canvas") == len(PLOTS)
    assert "cdn" not in re.sub(r"<script>.*?</script>", "", document, flags=re.DOTALL)
