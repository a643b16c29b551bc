import math

import pytest

from specflow.errors import SpecflowError
from specflow.tables.writing import write_table


def test_numbers_have_five_digits_and_undefined_ones_an_empty_cell(tmp_path):
    path = tmp_path / "a" / "table.csv"
    write_table(path, ("name", "step", "value"), [("x", 100000, 1 / 3), ("y", 2, math.nan)])
    assert path.read_text() == "name,step,value\nx,100000,0.33333\ny,2,\n"


def test_unwritable_table_is_named(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(SpecflowError, match=r"cannot write .*table.csv"):
        write_table(tmp_path / "folder" / "table.csv", ("a",), [])
