import pandas as pd
import pytest
from tests.studies.made_up import write_pruning, write_spectra

from specflow import paths
from specflow.errors import BrokenFileError
from specflow.hdf5 import create, write
from specflow.measure.layouts import TICKET
from specflow.studies.spectra import Measured, spectra_tables
from specflow.studies.tickets.study import CollectedTicket, TicketParams

TICKETS = {
    name: CollectedTicket(experiment="run", kind=kind, density=density, rewind_step=4, seeds=(0, 1))
    for name, kind, density in (("won", "magnitude", 0.2), ("lost", "random", 0.05))
}


@pytest.fixture
def tables(workplace):
    """Tables of two tickets of two seeds; "z" is before "a" by depth, the last has no mask."""
    shapes = {"z": (24, 30), "a": (12, 9), "last": (10, 12)}
    for name in TICKETS:
        for seed in (0, 1):
            write_spectra(paths.ticket_spectra(name, seed), seed, steps=(4, 10), shapes=shapes)
            write_pruning(paths.ticket_pruning(name, seed), seed)
            with create(paths.ticket_measures(name, seed), TICKET, {}) as file:
                write(file, "step", [4, 10])
                write(file, "metrics/train/loss", [1.0 + seed, 0.5])
                write(file, "metrics/validation/error", [0.9, 0.1])
                for depth, matrix in enumerate(("z", "a", "last")):
                    group = file.create_group(f"matrices/{matrix}")
                    group.attrs["depth"] = depth
                    write(group, "agreement_score", [0.1 * depth, 0.2 * depth])
                    if matrix != "last":
                        group.attrs["density"] = 0.1 + depth
                        group.attrs["masked_agreement_score"] = 0.3
    return TicketParams.tables(TICKETS)


def test_every_ticket_has_a_row(tables):
    assert list(tables["tickets"]) == ["ticket", "experiment", "kind", "density", "rewind_step"]
    assert tables["tickets"].to_numpy().tolist() == [
        ["won", "run", "magnitude", 0.2, 4],
        ["lost", "run", "random", 0.05, 4],
    ]


def test_masks_have_a_row_for_every_masked_matrix_in_order_of_depth(tables):
    masks = tables["ticket_masks"]
    assert list(masks) == ["ticket", "seed", "matrix", "density", "masked_agreement_score"]
    assert masks.iloc[:4].to_numpy().tolist() == [
        ["won", seed, matrix, density, 0.3]
        for seed in (0, 1)
        for matrix, density in (("z", 0.1), ("a", 1.1))
    ]
    assert len(masks) == 2 * 2 * 2


def test_histories_and_spectra_have_a_row_a_step(tables):
    history, spectra = tables["ticket_history"], tables["ticket_spectra"]
    assert list(history) == ["ticket", "seed", "step", "split", "metric", "value"]
    assert history.iloc[0].tolist() == ["won", 0, 4, "train", "loss", 1.0]
    assert len(history) == 2 * 2 * 4
    scores = ["agreement_score", "own_agreement_score", "normalized_effective_rank"]
    assert list(spectra) == ["ticket", "seed", "step", "matrix", *scores]
    assert spectra["agreement_score"].iloc[2:4].tolist() == [0.1, 0.2]
    assert spectra["matrix"].iloc[:6].tolist() == ["z", "z", "a", "a", "last", "last"]


def test_spectra_alignment_and_pruning_are_those_of_runs_of_the_tickets_own(tables):
    own = [
        Measured(name, {seed: paths.ticket_spectra(name, seed) for seed in (0, 1)})
        for name in TICKETS
    ]
    expected = spectra_tables(own)
    names = {"experiment": "ticket", "agreement_score": "own_agreement_score"}
    spectra = expected["spectra"].rename(columns=names)[
        list(tables["ticket_spectra"].drop(columns="agreement_score"))
    ]
    pd.testing.assert_frame_equal(tables["ticket_spectra"].drop(columns="agreement_score"), spectra)
    alignment = expected["alignment"].rename(columns=names)
    pd.testing.assert_frame_equal(tables["ticket_alignment"], alignment)
    pruning = tables["ticket_pruning"]
    columns = ["ticket", "seed", "step", "split", "keep", "keep_fraction", "metric", "value"]
    assert list(pruning) == columns
    assert pruning.iloc[-1].tolist() == ["lost", 1, 4, "train", "bottom", 0.5, "loss", 5.0]
    assert len(pruning) == 2 * 2 * 4 * 2


def test_missing_measures_are_named(workplace):
    with pytest.raises(BrokenFileError, match=r"tickets/won/seed0/tickets.h5: there is no such"):
        TicketParams.tables(TICKETS)
