import numpy as np
import pandas as pd
import pytest
from tests.measure.walks import HEADS, SETTINGS, Walk, layers, measure, network, walk

from specflow.measure.spectra_file import Entry
from specflow.studies.rows import SpectraRows, growth_factors, rows_in

STEPS = np.array([0, 10, 20])


def assert_equal(rows, others):
    found, expected = ([*one.frames(STEPS)] for one in (rows, others))
    assert [table for table, _ in found] == [table for table, _ in expected]
    for (_, own), (_, other) in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(own, other, check_exact=True)
    assert list(rows.about["matrices"].items()) == list(others.about["matrices"].items())
    assert list(rows.about["pairs"].items()) == list(others.about["pairs"].items())
    np.testing.assert_array_equal(rows.mean_agreement(), others.mean_agreement())


@pytest.mark.parametrize("kind", ["transformer", "vgg"])
def test_rows_of_what_is_being_written_are_those_of_the_file(tmp_path, kind):
    model, rows = network(kind), SpectraRows()
    steps = Walk(walk(dict(model.named_parameters()), 3))
    more = SETTINGS.model_copy(update={"more": ("random_matrix", "changes", "heads")})
    path = measure(tmp_path, steps, model.wiring, settings=more, see=rows.add)
    assert_equal(rows, rows_in(path))
    tables = [table for table, _ in rows.frames(STEPS)]
    assert tables.count("heads") == (0 if kind == "vgg" else 2 * 2)  # queries and values, by block
    heads = [len(frame) for table, frame in rows.frames(STEPS) if table == "heads"]
    assert set(heads) <= {3 * HEADS}


def test_rows_of_what_is_not_defined_are_those_of_the_file(tmp_path):
    state, wiring = layers(24, 30, 22)
    steps, rows = walk(state, 3), SpectraRows()
    del steps[0]["layers.0.weight"]
    steps[2]["layers.1.weight"].zero_()
    path = measure(tmp_path, Walk(steps), wiring, see=rows.add)
    assert_equal(rows, rows_in(path))
    assert np.isnan(rows.mean_agreement()).any()
    other = rows_in(measure(tmp_path / "other", Walk(walk(state, 3)), wiring))
    with pytest.raises(AssertionError):
        assert_equal(rows, other)


def test_quantity_that_some_entries_lack_is_a_column_with_nan_there():
    def added(*without):
        rows = SpectraRows()
        for number, lacking in enumerate(without):
            arrays = made_up(number)
            rows.add(Entry("matrices", f"w{number}", {}, omit(arrays, lacking)))
        return dict(rows.frames(STEPS))["spectra"]

    whole = added((), (), (), ())
    assert list(whole.columns[2:4]) == ["effective_rank", "stable_rank"]
    some = added(["stable_rank"], ["effective_rank"], (), ["stable_rank", "effective_rank"])
    expected = whole.copy()
    expected.loc[expected["matrix"].isin(["w0", "w3"]), "stable_rank"] = np.nan
    expected.loc[expected["matrix"].isin(["w1", "w3"]), "effective_rank"] = np.nan
    pd.testing.assert_frame_equal(some, expected, check_exact=True)
    without = added(*4 * [["stable_rank"]])
    pd.testing.assert_frame_equal(without, whole.drop(columns="stable_rank"), check_exact=True)


def made_up(number):
    """Arrays of a matrix of as many steps, each value another one."""
    scores = ("effective_rank", "stable_rank", "agreement_score", "step_agreement_score")
    arrays = {name: 10.0 * number + 100 * place + STEPS for place, name in enumerate(scores)}
    more = {"singular_values": np.ones((3, 5)), "agreement": np.ones((3, 5))}
    return arrays | more | {"pairwise_agreement": np.ones((3, 3))}


def omit(arrays, names):
    return {name: values for name, values in arrays.items() if name not in names}


def test_null_directions_at_the_start_are_left_out_of_growth():
    start, end = np.array([2.0, 1.0, 1e-12, 0.0]), np.array([4.0, 3.0, 1.0, 1.0])
    assert growth_factors(start, end) == (2.0, 2.5)
    assert np.isnan(growth_factors(np.zeros(2), np.ones(2))).all()
