"""Statistic of the claim about lottery tickets."""

from dataclasses import dataclass

from specflow.claims.measured import Measured, mean_of, over_seeds
from specflow.tables.reading import Tables


@dataclass(frozen=True)
class TicketPair:
    """Names of two tickets that differ only in kind."""

    magnitude: str
    random: str


def ticket_pairs(tables: Tables) -> dict[str, TicketPair]:
    """Return the magnitude tickets beside which there is a random one of the same source.

    Args:
        tables: The tables.

    Returns:
        Pairs of equal experiment, density and rewind step, by a name that says these.
    """
    found: dict[tuple[str, float, float], dict[str, str]] = {}
    table = tables["tickets"]
    columns = (table.column("experiment"), table.numbers("density"), table.numbers("rewind_step"))
    keys = zip(*(column.tolist() for column in columns), strict=True)
    kinds, names = table.column("kind").tolist(), table.column("ticket").tolist()
    for key, kind, name in zip(keys, kinds, names, strict=True):
        found.setdefault(key, {}).setdefault(kind, name)
    return {
        f"{experiment}, density {density:g}, step {step:.0f}": TicketPair(
            of_kind["magnitude"], of_kind["random"]
        )
        for (experiment, density, step), of_kind in found.items()
        if {"magnitude", "random"} <= set(of_kind)
    }


def tickets_keep_top(tables: Tables, pair: TicketPair) -> Measured:
    """Return of every seed the agreement that a magnitude mask keeps, minus a random mask's.

    Agreement score of the masked with the unmasked final weights, mean over masked matrices.
    """
    masks = tables["ticket_masks"]

    def score(ticket: str, seed: float) -> float:
        return mean_of(masks.where(ticket=ticket, seed=seed), "masked_agreement_score")

    return over_seeds(
        masks.where(ticket=pair.magnitude),
        lambda seed: score(pair.magnitude, seed) - score(pair.random, seed),
    )
