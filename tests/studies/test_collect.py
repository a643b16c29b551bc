import pytest
from tests.studies.made_up import AUDIT, write_runs, write_spectra

from specflow import paths
from specflow.audit.findings import write_audit
from specflow.errors import SpecflowError
from specflow.frames import Tables
from specflow.json_files import read_json
from specflow.studies.collect import CollectSettings, collect
from specflow.studies.study import kinds_of_studies

TABLES = {
    *("steps", "history", "matrices", "pairs", "spectra", "alignment", "growth", "settling"),
    *("singular_values", "agreement_diagonal", "alignment_diagonal", "pairwise_agreement"),
    *("metrics", "pruning", "connections", "interpolation", "barriers", "endpoint_agreement"),
    *("endpoint_diagonal", "tickets", "ticket_masks", "ticket_history"),
    *("ticket_spectra", "ticket_alignment", "ticket_pruning"),
    *("samples", "changes", "audit"),
}


def settings(**changes):
    nothing = {kind: {} for kind in kinds_of_studies()}
    return CollectSettings.model_validate({"entries": nothing | changes})


def test_of_nothing_all_tables_are_there_and_the_metrics_file_is_empty(workplace):
    collect(settings())
    assert {path.stem for path in paths.TABLES.glob("*.csv")} == TABLES
    assert all(len(Tables(paths.TABLES)[name]) == 0 for name in TABLES)
    summary = read_json(paths.SUMMARY)
    assert summary == {"experiments": {}, "connections": {}, "tickets": {}, "checkpoints": {}}


@pytest.fixture
def collected(workplace):
    """Settings of an experiment and of checkpoints made elsewhere, whose results are there."""
    write_runs()
    write_spectra(paths.checkpoints_spectra("theirs"))
    write_audit(paths.checkpoints_audit("theirs"), AUDIT)
    about = {"seeds": [0, 1], "metrics": []}
    experiment = {**about, "matrices": {"full": ["a/kernel"]}, "pairs": {}}
    return settings(experiments={"run": experiment}, checkpoints={"theirs": {"shown": {}}})


def test_experiments_and_checkpoints_stand_in_the_same_tables(collected):
    collect(collected)
    tables = Tables(paths.TABLES)
    for name in ("steps", "matrices", "spectra", "singular_values", "pairwise_agreement"):
        assert tables[name]["experiment"].unique().tolist() == ["run", "theirs"]
    assert tables["history"]["experiment"].unique().tolist() == ["run"]
    summary = read_json(paths.SUMMARY)
    assert set(summary["experiments"]) == {"run"}
    assert set(summary["checkpoints"]) == {"theirs"}
    assert summary["checkpoints"]["theirs"]["flagged_steps"] == {"mean": 1.0, "std": None}


def test_same_results_give_the_same_bytes(collected):
    written = []
    for _ in range(2):
        collect(collected)
        files = [*sorted(paths.TABLES.iterdir()), paths.SUMMARY]
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1]


def test_a_missing_result_leaves_all_tables_as_they_were(collected):
    collect(collected)
    before = paths.SUMMARY.read_bytes()
    paths.spectra("run", 1).unlink()
    with pytest.raises(SpecflowError, match=r"run/seed1/spectra\.h5: there is no such file"):
        collect(collected)
    assert paths.SUMMARY.read_bytes() == before
