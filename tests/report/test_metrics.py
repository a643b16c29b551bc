from specflow.report.metrics import tables_of
from specflow.report.sources import Metrics

VALUE = {"mean": 1.5, "std": 0.1}
SHOWN = "1.50 ± 0.10"


def test_quantities_are_a_list_and_groups_of_them_rows_of_a_table():
    metrics = Metrics.model_validate({"a": VALUE, "b": VALUE, "pruned": {"top": {"x": VALUE}}})
    single, pruned = tables_of(metrics)
    assert single.rows == (("a", (SHOWN,)), ("b", (SHOWN,)))
    assert (pruned.columns, pruned.rows) == (("x",), (("top", (SHOWN,)),))


def test_groups_with_other_quantities_have_a_dash_where_one_is_missing():
    (table,) = tables_of(Metrics.model_validate({"one": {"x": VALUE}, "two": {"y": VALUE}}))
    assert table.columns == ("x", "y")
    assert table.rows == (("one", (SHOWN, "—")), ("two", ("—", SHOWN)))


def test_deeper_groups_are_tables_with_a_caption():
    metrics = Metrics.model_validate({"pruned": {"top": {"x": {"y": VALUE}}}})
    (table,) = tables_of(metrics)
    assert (table.caption, table.rows) == ("pruned top", (("x", (SHOWN,)),))


def test_nothing_measured_is_no_table():
    assert tables_of(Metrics.model_validate({})) == []
