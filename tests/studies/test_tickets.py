import numpy as np
import pytest

from specflow import paths
from specflow.hdf5 import BrokenFileError, create, write
from specflow.measure.layouts import TICKET
from specflow.studies.tickets.study import CollectedTicket, TicketParams

TICKETS = {
    name: CollectedTicket(experiment="run", kind=kind, density=density, rewind_step=4, seeds=(0, 1))
    for name, kind, density in (("won", "magnitude", 0.2), ("lost", "random", 0.05))
}


@pytest.fixture
def tables(workplace):
    """Tables of two tickets of two seeds; "z" is before "a" by depth, the last has no mask."""
    for name in TICKETS:
        for seed in (0, 1):
            with create(paths.ticket_measures(name, seed), TICKET, {}) as file:
                write(file, "step", [4, 10])
                write(file, "metrics/train/loss", [1.0 + seed, 0.5])
                write(file, "metrics/validation/error", [0.9, 0.1])
                for depth, matrix in enumerate(("z", "a", "last")):
                    group = file.create_group(f"matrices/{matrix}")
                    group.attrs["depth"] = depth
                    write(group, "agreement_score", [0.1 * depth, 0.2 * depth])
                    write(group, "normalized_effective_rank", [0.5, np.nan])
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
    scores = ["agreement_score", "normalized_effective_rank"]
    assert list(spectra) == ["ticket", "seed", "step", "matrix", *scores]
    np.testing.assert_array_equal(spectra[scores].iloc[2:4], [[0.1, 0.5], [0.2, np.nan]])
    assert spectra["matrix"].iloc[:6].tolist() == ["z", "z", "a", "a", "last", "last"]


def test_missing_measures_are_named(workplace):
    with pytest.raises(BrokenFileError, match=r"tickets/won/seed0/tickets.h5: there is no such"):
        TicketParams.tables(TICKETS)
