import numpy as np
import pytest

from specflow import paths
from specflow.hdf5 import BrokenFileError, create, write
from specflow.layouts import TICKET
from specflow.params.resolve import Collected, CollectParams, RetrainParams
from specflow.tables.reading import Tables
from specflow.tables.tickets import write_ticket_tables


def ticket(name, kind="magnitude", density=0.2):
    return RetrainParams(
        ticket=name,
        experiment="run",
        kind=kind,
        density=density,
        rewind_step=4,
        batch_norm_samples=10,
    )


def params(*tickets):
    run = Collected(seeds=(0, 1), matrices=(), pairs=())
    named = {one.ticket: one for one in tickets}
    return CollectParams(
        suites={}, experiments={"run": run}, connections={}, samples={}, tickets=named
    )


def write_measures(name, seed):
    """Two kept steps; "z" comes before "a" by depth, and the last layer has no mask."""
    with create(paths.ticket_measures(name, seed), TICKET, {}) as file:
        write(file, "step", [4, 10])
        write(file, "epoch", [2.0, 5.0])
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


@pytest.fixture
def folder(workplace):
    """Tables of two tickets of one experiment of two seeds."""
    tickets = [ticket("won"), ticket("lost", "random", 0.05)]
    for one in tickets:
        for seed in (0, 1):
            write_measures(one.ticket, seed)
    write_ticket_tables(workplace / "tables", params(*tickets))
    return workplace / "tables"


def test_every_ticket_has_a_row(folder):
    assert (folder / "tickets.csv").read_text().splitlines() == [
        "ticket,experiment,kind,density,rewind_step",
        "won,run,magnitude,0.2,4",
        "lost,run,random,0.05,4",
    ]


def test_masks_have_a_row_for_every_masked_matrix_in_order_of_depth(folder):
    lines = (folder / "ticket_masks.csv").read_text().splitlines()
    assert lines[0] == "ticket,seed,matrix,density,masked_agreement_score"
    assert lines[1:5] == [
        "won,0,z,0.1,0.3",
        "won,0,a,1.1,0.3",
        "won,1,z,0.1,0.3",
        "won,1,a,1.1,0.3",
    ]
    assert len(lines) == 1 + 2 * 2 * 2


def test_histories_have_a_row_a_value(folder):
    lines = (folder / "ticket_history.csv").read_text().splitlines()
    assert lines[0] == "ticket,seed,step,epoch,split,metric,value"
    assert lines[1] == "won,0,4,2,train,loss,1"
    assert lines[5] == "won,1,4,2,train,loss,2"
    assert len(lines) == 1 + 2 * 2 * 4


def test_spectra_leave_undefined_cells_empty(folder):
    lines = (folder / "ticket_spectra.csv").read_text().splitlines()
    assert lines[0] == ("ticket,seed,step,epoch,matrix,agreement_score,normalized_effective_rank")
    assert lines[3:5] == ["won,0,4,2,a,0.1,0.5", "won,0,10,5,a,0.2,"]
    assert len(lines) == 1 + 2 * 2 * 6


def test_tables_read_back_as_text_and_numbers(folder):
    tables = Tables(folder)
    assert tables["tickets"].distinct("kind") == ["magnitude", "random"]
    assert len(tables["ticket_masks"].where(ticket="lost", matrix="a", seed=1)) == 1


def test_without_tickets_the_tables_are_empty(workplace):
    write_ticket_tables(workplace, params())
    for name in ("tickets", "ticket_masks", "ticket_history", "ticket_spectra"):
        assert len(Tables(workplace)[name]) == 0


def test_missing_measures_are_named(workplace):
    with pytest.raises(BrokenFileError, match=r"tickets/won/seed0/tickets.h5: there is no such"):
        write_ticket_tables(workplace, params(ticket("won")))
