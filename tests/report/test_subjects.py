"""Final metrics as tables, and checkpoints made elsewhere on the page."""

from tests.report import made_up
from tests.report.pages import parse, section, text, texts

from specflow import paths
from specflow.report.numbers import MINUS
from specflow.report.page import write_report
from specflow.report.subjects import Metrics, metrics_tables

VALUE = {"mean": 1.5, "std": 0.1}
SHOWN = "1.50 ± 0.10"


def tables(metrics):
    return [
        (caption, [*frame.columns], {name: [*cells] for name, *cells in frame.itertuples()})
        for caption, frame in metrics_tables(Metrics.model_validate(metrics))
    ]


def test_quantities_are_a_list_and_groups_of_them_rows_of_a_table():
    assert tables({"a": VALUE, "b": VALUE, "pruned": {"top": {"x": VALUE}}}) == [
        ("", ["mean ± std"], {"a": [SHOWN], "b": [SHOWN]}),
        ("pruned", ["x"], {"top": [SHOWN]}),
    ]


def test_groups_with_other_quantities_have_a_dash_where_one_is_missing():
    expected = {"one": [SHOWN, "—"], "two": ["—", SHOWN]}
    assert tables({"one": {"y": VALUE}, "two": {"x": VALUE}}) == [("", ["y", "x"], expected)]


def test_deeper_groups_are_tables_with_a_caption():
    expected = [("pruned top", ["y"], {"x": [SHOWN]})]
    assert tables({"pruned": {"top": {"x": {"y": VALUE}}}}) == expected
    assert tables({}) == []


def test_checkpoints_have_audit_figures_matrices_and_settings(results):
    results()
    write_report()
    page = parse(paths.REPORT.read_text())
    public, sound = (section(page, f"checkpoint-{name}") for name in ("public", "sound"))
    assert texts(public, "tr") == [
        "step matrix flag evidence",
        "120 all out of order fits in the place of step 80 <&>",
        "matrix name outputs x inputs stable rank log norm step agreement score",
        f"A a.weight 10 x 4 2.25 {MINUS}0.5 0.75",
        "B <b> b.weight 4 x 18 — — —",
    ]
    assert texts(public, "p")[0] == "2 steps, 0 to 120; 2 matrices."
    assert "gpt_neox" in text(public)
    counted, audit = texts(sound, "p")
    assert counted == "1 step, 5 to 5; 1 matrix."
    assert audit == "No flags: the one step checked, with all tensors as expected."
    assert texts(page, "h4").count("Audit") == 2


def test_without_checkpoints_none_of_their_tables_is_read(results):
    results(config=made_up.config_of("connections"))
    for table in ("audit", "steps", "matrices", "spectra", "alignment"):
        (paths.TABLES / f"{table}.csv").unlink()
    write_report()
    assert "Audit" not in paths.REPORT.read_text()
