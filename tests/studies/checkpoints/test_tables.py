import numpy as np
import pytest
from tests.suites.made_up_suites import job_of, run, save_steps, suite_params, trained

from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.params.resolve import CollectedSuite, CollectParams
from specflow.suite_results import MEASURES, SUITE
from specflow.tables.reading import Tables
from specflow.tables.suites import SuitePlaces, shown_indices, write_suite_tables
from specflow.tables.summary import summarize


@pytest.fixture
def places(tmp_path):
    """Results of a suite of four steps, the second of which has a matrix that is not finite."""
    weights = trained(4)
    weights[1]["layers.0.weight"][0, 0] = np.nan
    save_steps(tmp_path, [0, 1, 2, 5], weights)
    job = job_of(tmp_path, suite_params(pairs=[{"from": "layers.0", "to": "layers.1"}]))
    run(job)
    return SuitePlaces(job.spectra, job.audit)


def tables_of(tmp_path, **suites):
    write_suite_tables(tmp_path / "tables", suites)
    return Tables(tmp_path / "tables")


def test_spectra_are_those_of_the_file_with_empty_cells_for_what_is_not_defined(places, tmp_path):
    table = tables_of(tmp_path, run=places, again=places)["suite_spectra"]
    assert table.distinct("suite") == ["run", "again"]
    assert len(table) == 2 * 2 * 4
    with open_file(places.spectra, SUITE) as file:
        for number, matrix in enumerate(("layers.0", "layers.1")):
            rows = table.where(suite="run", matrix=matrix)
            assert rows.numbers("step").tolist() == [0, 1, 2, 5]
            for measure in MEASURES:
                expected = file[f"matrices/{number}"][measure][:]
                assert rows.numbers(measure) == pytest.approx(expected, rel=1e-4, nan_ok=True)
    undefined = np.isnan(table.where(suite="run", matrix="layers.0").numbers("stable_rank"))
    assert undefined.tolist() == [False, True, False, False]


def test_matrices_and_pairs_are_in_order_of_depth(places, tmp_path):
    tables = tables_of(tmp_path, run=places)
    matrices = tables["suite_matrices"]
    assert matrices.column("parameter").tolist() == ["layers.0.weight", "layers.1.weight"]
    assert matrices.numbers("rows").tolist() == [12, 10]
    (pair,) = tables["suite_pairs"].distinct("pair")
    scores = tables["suite_alignment"].where(pair=pair).numbers("alignment_score")
    assert np.isfinite(scores).tolist() == [True, False, True, True]


def test_flags_and_changes_are_those_of_the_audit(places, tmp_path):
    tables = tables_of(tmp_path, run=places)
    flags = tables["suite_audit"]
    assert flags.where(step=1, matrix="layers.0").distinct("flag") == ["non_finite"]
    assert len(flags) == 1
    changes = tables["suite_changes"].where(matrix="layers.0")
    assert changes.numbers("step").tolist() == [1, 2, 5]
    assert np.isnan(changes.numbers("relative_change")).tolist() == [True, True, False]


def test_singular_values_are_of_the_middle_matrix_or_the_one_named(places, tmp_path):
    tables = tables_of(tmp_path, run=places)
    assert tables["suite_singular_values"].distinct("matrix") == ["layers.1"]
    named = SuitePlaces(places.spectra, places.audit, "layers.0")
    table = tables_of(tmp_path, run=named)["suite_singular_values"]
    assert table.distinct("matrix") == ["layers.0"]
    assert table.where(step=5).numbers("index").tolist() == list(range(1, 10))
    absent = SuitePlaces(places.spectra, places.audit, "more")
    with pytest.raises(SpecflowError, match=r"figures.suites.run.matrix: got 'more'; expected"):
        tables_of(tmp_path, run=absent)


def test_any_two_steps_are_compared_in_the_matrix_shown_and_on_average(places, tmp_path):
    named = SuitePlaces(places.spectra, places.audit, "layers.0")
    table = tables_of(tmp_path, run=named)["suite_agreement"]
    assert table.distinct("matrix") == ["layers.0", "mean of all"]
    assert len(table) == 2 * (4 + 6)
    with open_file(places.spectra, SUITE) as file:
        first, second = (file[f"matrices/{n}/agreement_scores"][:] for n in (0, 1))
    shown, mean = (table.where(matrix=name) for name in ("layers.0", "mean of all"))
    (one,) = shown.where(step=0, other_step=2).numbers("agreement_score")
    assert one == pytest.approx(first[0, 2], rel=1e-4)
    (both,) = mean.where(step=0, other_step=2).numbers("agreement_score")
    assert both == pytest.approx((first[0, 2] + second[0, 2]) / 2, rel=1e-4)
    assert np.isnan(shown.where(step=1).numbers("agreement_score")).all()
    (sound,) = mean.where(step=0, other_step=1).numbers("agreement_score")
    assert sound == pytest.approx(second[0, 1], rel=1e-4)


def test_of_large_spectra_some_values_are_shown():
    assert shown_indices(1) == [1]
    assert shown_indices(40) == list(range(1, 41))
    many = shown_indices(4096)
    assert many[:32] == list(range(1, 33))
    assert many[-1] == 4096
    assert 100 < len(many) <= 128


def test_without_suites_tables_have_headers(tmp_path):
    tables = tables_of(tmp_path)
    for name in (
        "matrices",
        "pairs",
        "spectra",
        "alignment",
        "singular_values",
        "agreement",
        "changes",
        "audit",
    ):
        assert len(tables[f"suite_{name}"]) == 0


def test_missing_results_are_named(tmp_path, places):
    with pytest.raises(SpecflowError, match=r"absent\.h5: there is no such file"):
        tables_of(tmp_path, run=SuitePlaces(tmp_path / "absent.h5", places.audit))
    with pytest.raises(SpecflowError, match=r"there is no audit .*absent\.json"):
        tables_of(tmp_path, run=SuitePlaces(places.spectra, tmp_path / "absent.json"))


def test_summary_is_of_the_last_step_over_matrices(places, tmp_path):
    tables = tables_of(tmp_path, run=places)
    nothing = {"experiments": {}, "connections": {}, "tickets": {}, "samples": {}}
    params = CollectParams(**nothing, suites={"run": CollectedSuite(matrix=None)})
    found = summarize(tables, params)["suites"]["run"]
    assert found["flagged_steps"] == {"mean": 1, "std": 0}
    spectra = tables["suite_spectra"]
    ranks = spectra.where(step=5).numbers("stable_rank")
    assert found["stable_rank"]["mean"] == pytest.approx(ranks.mean(), rel=1e-4)
    assert found["stable_rank"]["std"] == pytest.approx(ranks.std(), rel=1e-4)
    halfway = spectra.where(step=2).numbers("agreement_score")
    mean = found["agreement_score_halfway"]["mean"]
    assert mean == pytest.approx(halfway.mean(), rel=1e-4)
