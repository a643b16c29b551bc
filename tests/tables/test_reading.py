import numpy as np
import pytest

from specflow.tables.reading import Tables, read_table


@pytest.fixture
def write(tmp_path):
    def write_table(text: str):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return path

    return write_table


def test_text_stays_text_and_empty_numbers_are_nan(write):
    table = read_table(write("experiment,matrix,value\na,1,2.5\nb,2,\n"))
    assert table.column("matrix").tolist() == ["1", "2"]
    np.testing.assert_array_equal(table.numbers("value"), [2.5, np.nan])
    assert len(table) == 2


def test_quoted_cells_may_hold_commas(write):
    assert read_table(write('label\n"a, b"\n')).column("label").tolist() == ["a, b"]


def test_where_keeps_the_rows_that_match_all(write):
    table = read_table(write("split,keep_fraction,value\ntrain,0.5,1\ntrain,1,2\nother,0.5,3\n"))
    assert table.where(split="train", keep_fraction=0.5).numbers("value").tolist() == [1.0]


def test_where_takes_one_of_several_texts(write):
    table = read_table(write("split,value\ntrain,1\nvalidation,2\nother,3\n"))
    assert table.where(split=("train", "other")).numbers("value").tolist() == [1.0, 3.0]
    assert len(table.where(split=())) == 0


def test_distinct_keeps_the_order_of_the_file(write):
    assert read_table(write("metric\nloss\nerror\nloss\n")).distinct("metric") == ["loss", "error"]


def test_a_table_may_have_no_rows(write):
    table = read_table(write("experiment,value\n"))
    assert len(table) == 0
    assert table.distinct("experiment") == []
    assert table.numbers("value").dtype == np.float64


def test_among_keeps_the_rows_with_one_of_the_values(write):
    table = read_table(write("pair,value\na,1\nb,2\nc,3\nb,4\n"))
    assert table.among("pair", ["c", "b"]).numbers("value").tolist() == [2, 3, 4]
    assert len(table.among("pair", [])) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("value\nmany\n", "column 'value' .*many"),
        ("split,value\ntrain\n", r"table\.csv:2 has 1 cells; expected 2"),
    ],
)
def test_broken_tables_are_refused(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(text))


def test_unknown_and_wrong_columns_are_refused(write):
    table = read_table(write("split,value\ntrain,1\n"))
    with pytest.raises(ValueError, match="has no column 'seed'; it has split, value"):
        table.numbers("seed")
    with pytest.raises(ValueError, match=r"'split' .* holds text"):
        table.numbers("split")


def test_a_missing_table_says_how_to_build_it(tmp_path):
    with pytest.raises(ValueError, match="dvc repro collect"):
        Tables(tmp_path)["history"]


def test_a_table_is_read_once(write, tmp_path):
    tables = Tables(write("split\ntrain\n").parent)
    first = tables["table"]
    (tmp_path / "table.csv").unlink()
    assert tables["table"] is first
