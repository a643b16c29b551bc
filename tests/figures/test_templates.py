"""The Vega-Lite templates of `dvc plots`, filled by DVC's own renderer."""

import csv
import json
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer

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


def fields_of(spec: object) -> set[str]:
    """Every column that a specification reads, those that it makes itself left out."""
    if isinstance(spec, list):
        return set().union(*map(fields_of, spec)) if spec else set()
    if not isinstance(spec, dict):
        return set()
    own = {spec["field"]} if isinstance(spec.get("field"), str) else set()
    own |= {name for name in spec.get("groupby", []) if isinstance(name, str)}
    return own.union(*(fields_of(value) for key, value in spec.items() if key != "data"))


def made_by(spec: object) -> set[str]:
    if isinstance(spec, list):
        return set().union(*map(made_by, spec)) if spec else set()
    if not isinstance(spec, dict):
        return set()
    own = {spec["as"]} if "as" in spec else set()
    return own.union(*(made_by(value) for key, value in spec.items() if key != "data"))


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
    assert fields_of(spec) - made_by(spec) - units <= set(rows[0])


@pytest.mark.parametrize("template", ["variants", "curves"])
def test_templates_of_connections_show_lines_within_a_trunk(template):
    spec = json.loads((TEMPLATES / f"{template}.json").read_text())
    filters = [step.get("filter") for step in spec["transform"]]
    assert "!datum.relation || datum.relation == 'within'" in filters


def test_every_template_is_used():
    assert {path.stem for path in TEMPLATES.glob("*.json")} == {plot[0] for plot in PLOTS}
