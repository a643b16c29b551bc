import subprocess

import numpy as np
import pandas as pd
import pytest
from tests.sealed import flipped, write_csv

from specflow.errors import BrokenFileError, SpecflowError
from specflow.frames import (
    Tables,
    at_end,
    read_table,
    where,
    with_epochs,
    with_full,
    write_table,
)


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "table.csv"
        write_csv(path, text)
        return path

    return write


def test_numbers_have_five_digits_and_undefined_ones_an_empty_cell(tmp_path):
    table = pd.DataFrame({"matrix": ["x", "y"], "step": [100000, 2], "value": [1 / 3, np.nan]})
    write_table(tmp_path / "a" / "table.csv", table)
    text = (tmp_path / "a" / "table.csv").read_text()
    assert text == "matrix,step,value\nx,100000,0.33333\ny,2,\n"


def test_unwritable_table_is_named(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(SpecflowError, match=r"cannot write .*table\.csv"):
        write_table(tmp_path / "folder" / "table.csv", pd.DataFrame({"a": []}))


def test_text_stays_text_and_numbers_are_exact(written):
    table = read_table(written('matrix,label,seed,value\n1,NA,0,0.1\n2,"a, b",1,\n'))
    assert table["matrix"].tolist() == ["1", "2"]
    assert table["label"].tolist() == ["NA", "a, b"]
    assert table["seed"].dtype == np.int64
    np.testing.assert_array_equal(table["value"], [0.1, np.nan])


def test_the_first_column_says_whose_rows_they_are(written):
    table = read_table(written("distances,seed\nends,0\n"))
    assert table["distances"].tolist() == ["ends"]
    assert read_table(written("distances,seed\n1,0\n"))["distances"].tolist() == ["1"]


def test_a_table_may_have_no_rows(written):
    table = read_table(written("experiment,value\n"))
    assert len(table) == 0
    assert table["value"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table\.csv: No columns .*dvc repro -sf collect"),
        ("step,value\n1,2,3\n4,5,6,7\n", r"table\.csv: Error tokenizing"),
        (
            "step,value\n1,1\n2,many\n",
            r"table\.csv: column 'value': got 'many'; expected a number",
        ),
    ],
)
def test_broken_tables_are_refused(written, text, message):
    with pytest.raises(SpecflowError, match=message):
        read_table(written(text))


def test_a_missing_table_says_how_to_build_it(tmp_path):
    with pytest.raises(SpecflowError, match="dvc repro collect"):
        Tables(tmp_path)["history"]


def test_a_table_is_read_once(written):
    path = written("split\ntrain\n")
    tables = Tables(path.parent)
    first = tables["table"]
    path.unlink()
    assert tables["table"] is first


def test_rows_are_chosen_by_their_cells():
    table = pd.DataFrame({"split": ["a", "a", "b"], "step": [1, 2, 2], "value": [1.0, 2.0, 3.0]})
    assert where(table, split="a", step=2)["value"].tolist() == [2.0]
    assert where(table, value=[1.0, 3.0])["split"].tolist() == ["a", "b"]
    assert where(table, split=())["value"].tolist() == []
    assert at_end(table)["value"].tolist() == [2.0, 3.0]
    assert len(at_end(table[:0])) == 0


def test_epochs_and_full_models_come_from_their_own_tables():
    run = {"experiment": "run", "seed": 0, "step": [0, 8], "split": "train"}
    tables = {
        "steps": pd.DataFrame({"experiment": "run", "step": [0, 8], "epoch": [0.0, 2.0]}),
        "history": pd.concat(
            [
                pd.DataFrame({**run, "metric": metric, "value": [3.0, 1.0]})
                for metric in ("loss", "loss_baseline")
            ]
        ),
        "pruning": pd.DataFrame(
            {**run, "keep": "top", "keep_fraction": 0.5, "metric": "loss", "value": [4.0, 2.0]}
        ),
    }
    assert with_epochs(tables, tables["pruning"])["epoch"].tolist() == [0.0, 2.0]
    losses = with_full(where(tables["history"], metric="loss"), tables["pruning"])
    assert losses["keep"].tolist() == ["full", "full", "top", "top"]
    assert losses["value"].tolist() == [3.0, 1.0, 4.0, 2.0]
    assert set(losses) == set(tables["pruning"])


def test_every_flipped_byte_of_a_table_is_found_and_sums_are_as_the_system_reads_them(tmp_path):
    for name in ("b", "a", "b"):
        write_table(tmp_path / f"{name}.csv", pd.DataFrame({"split": [name], "value": [0.125]}))
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert checked.stdout == b"a.csv: OK\nb.csv: OK\n"
    content = (tmp_path / "a.csv").read_bytes()
    for place in range(len(content)):
        (tmp_path / "a.csv").write_bytes(flipped(content, place))
        with pytest.raises(BrokenFileError, match="damaged or edited"):
            read_table(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(content)
    assert read_table(tmp_path / "a.csv")["value"].tolist() == [0.125]
