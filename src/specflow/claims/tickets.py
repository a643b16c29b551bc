"""The claim about lottery tickets."""

from typing import NamedTuple

from specflow.claims.claim import Subjects, claim
from specflow.claims.evidence import Evidence
from specflow.claims.measured import Measured, mean_of, over_seeds
from specflow.frames import Tables, where


class _TicketPair(NamedTuple):
    magnitude: str
    random: str


def _pairs(seen: Evidence) -> dict[str, _TicketPair]:
    """Return pairs of equal experiment, density and rewind step, by a name that says these."""
    found = {}
    source = ["experiment", "density", "rewind_step"]
    for (experiment, density, step), rows in seen.tables["tickets"].groupby(source, sort=False):
        of_kind = rows.drop_duplicates("kind").set_index("kind")["ticket"]
        if {"magnitude", "random"} <= set(of_kind.index):
            name = f"{experiment}, density {density:g}, step {step}"
            found[name] = _TicketPair(of_kind["magnitude"], of_kind["random"])
    return found


@claim(
    text="magnitude masks keep the top directions",
    statistic="agreement score of masked and unmasked final weights, magnitude minus random mask",
    holds=">",
    subjects=Subjects(
        "experiments",
        "a magnitude and a random ticket of one experiment, density and rewind step",
        _pairs,
    ),
    paper="a global magnitude mask keeps the top singular vectors of the full network, a random "
    "one does not",
)
def tickets_keep_top(tables: Tables, pair: _TicketPair) -> Measured:
    """Return of every seed the agreement that a magnitude mask keeps, minus a random mask's.

    Agreement score of the masked with the unmasked final weights, mean over masked matrices.
    """
    masks = tables["ticket_masks"]

    def score(ticket: str, seed: int) -> float:
        return mean_of(where(masks, ticket=ticket, seed=seed), "masked_agreement_score")

    return over_seeds(
        where(masks, ticket=pair.magnitude),
        lambda seed: score(pair.magnitude, seed) - score(pair.random, seed),
    )
