import numpy as np
import pytest
from tests.studies.made_up import AUDIT, PAIRS, write_spectra

from specflow.audit.findings import write_audit
from specflow.errors import SpecflowError
from specflow.studies.checkpoints.tables import (
    audit_tables,
    checkpoint_tables,
    measured_checkpoints,
)

SHAPES = {name: (8, 6) for name in "abcd"}


@pytest.fixture
def places(tmp_path):
    """Spectra and audit of four steps."""
    write_audit(tmp_path / "audit.json", AUDIT)
    return write_spectra(tmp_path / "spectra.h5", shapes=SHAPES), tmp_path / "audit.json"


def test_tables_are_those_of_runs_with_seed_0_and_those_of_the_audit(places):
    tables = checkpoint_tables("theirs", *places)
    for table in tables.values():
        assert set(table["experiment"]) <= {"theirs"}
    assert tables["spectra"]["seed"].unique().tolist() == [0]
    assert tables["audit"].to_numpy().tolist() == [
        ["theirs", 3, "a", "non_finite", '1 of 48, "all"']
    ]
    changes = tables["changes"]
    assert list(changes) == ["experiment", "step", "matrix", "relative_change", "cosine"]
    assert changes["step"].tolist() == [3, 6, 10] * 2
    np.testing.assert_array_equal(changes["relative_change"], [np.nan, np.nan, 0.5, 1, 2, 3])


def test_the_middle_matrix_and_pair_are_in_full_or_those_named(places):
    spectra, _ = places
    middle = measured_checkpoints("theirs", spectra)
    assert (middle.matrices, middle.pairs) == (("c",), (PAIRS[1],))
    named = measured_checkpoints("theirs", spectra, "a", PAIRS[0])
    assert (named.matrices, named.pairs) == (("a",), (PAIRS[0],))
    for key, expected in (("matrix", "a, b, c, d"), ("pair", "z -> a/b, a -> out")):
        message = f"figures.checkpoints.theirs.{key}: got 'more'; expected one of {expected}"
        with pytest.raises(SpecflowError, match=message):
            measured_checkpoints("theirs", spectra, **{key: "more"})


def test_missing_results_are_named(tmp_path, places):
    with pytest.raises(SpecflowError, match=r"absent\.h5: there is no such file"):
        checkpoint_tables("theirs", tmp_path / "absent.h5", places[1])
    with pytest.raises(SpecflowError, match=r"there is no audit .*absent\.json"):
        checkpoint_tables("theirs", places[0], tmp_path / "absent.json")


def test_without_checkpoints_the_tables_are_empty():
    assert {name: len(table) for name, table in audit_tables({}).items()} == {
        "changes": 0,
        "audit": 0,
    }
