"""Statistics of the claims about linear mode connectivity.

A barrier is that of the full model's validation loss. Within a unit it is the mean over pairs of
branches, and an agreement score the mean over those and over matrices.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from specflow.claims.interval import rank_correlation
from specflow.claims.measured import Measured, UndefinedError, mean_of, over_units
from specflow.tables.reading import Table, Tables


def connections_with(tables: Tables, relation: str) -> list[str]:
    """Return the connections of which lines of a relation were measured."""
    return _of_full_model(tables["barriers"]).where(relation=relation).distinct("connection")


def late_barrier_ratio(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the barrier at the last split over that at split 0.

    Not defined where there is no later split than 0, or no barrier at split 0.
    """
    barriers = _barriers(tables, connection, "within")
    last = _last_split(barriers)

    def ratio(trunk: str) -> float:
        of_trunk = barriers.where(trunks=trunk)
        first = mean_of(of_trunk.where(split_step=0), "barrier")
        if last == 0:
            raise UndefinedError("there is no split after step 0")
        if first <= 0:
            raise UndefinedError("there is no barrier at split 0")
        return mean_of(of_trunk.where(split_step=last), "barrier") / first

    return _over_trunks(barriers, ratio)


def barrier_with_agreement(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the rank correlation over splits of barrier and end agreement."""
    barriers = _barriers(tables, connection, "within")
    agreement = _agreement(tables, connection, "within")

    def correlation(trunk: str) -> float:
        rows, scores = barriers.where(trunks=trunk), agreement.where(trunks=trunk)
        steps = np.unique(rows.numbers("split_step")).tolist()
        return rank_correlation(
            [mean_of(rows.where(split_step=step), "barrier") for step in steps],
            [mean_of(scores.where(split_step=step), "agreement_score") for step in steps],
        )

    return _over_trunks(barriers, correlation)


def barrier_across(tables: Tables, connection: str) -> Measured:
    """Return of every pair of trunks its barrier at the last split, minus that within the two."""
    across = _barriers(tables, connection, "across")
    within = _barriers(tables, connection, "within").where(split_step=_last_split(across))
    across = across.where(split_step=_last_split(across))

    def difference(pair: str) -> float:
        own = [mean_of(within.where(trunks=trunk), "barrier") for trunk in pair.split("-")]
        return mean_of(across.where(trunks=pair), "barrier") - float(np.mean(own))

    return _over_pairs(across, difference)


def agreement_across(tables: Tables, connection: str) -> Measured:
    """Return of every pair of trunks the agreement score of their ends over its null level.

    Mean over splits; the null level is the mean over the experiment's matrices.
    """
    across = _agreement(tables, connection, "across")
    (experiment,) = tables["connections"].where(connection=connection).distinct("experiment")
    matrices = tables["matrices"].where(experiment=experiment)

    def ratio(pair: str) -> float:
        score = mean_of(across.where(trunks=pair), "agreement_score")
        return score / mean_of(matrices, "null_agreement")

    return _over_pairs(across, ratio)


def barrier_with_agreement_perturbed(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the rank correlation over scales of end agreement and barrier.

    Scale 0 is the unperturbed pair of branches from the same split; of several perturbed splits
    the last one counts.
    """
    relations = ("within", "perturbed")
    barriers = {name: _barriers(tables, connection, name) for name in relations}
    agreement = {name: _agreement(tables, connection, name) for name in relations}
    split = _last_split(barriers["perturbed"])

    def correlation(trunk: str) -> float:
        def means(tables_of: dict[str, Table], column: str) -> list[float]:
            within, perturbed = (
                tables_of[name].where(trunks=trunk, split_step=split) for name in relations
            )
            scales = np.unique(perturbed.numbers("scale")).tolist()
            rows = [within, *(perturbed.where(scale=scale) for scale in scales)]
            return [mean_of(one, column) for one in rows]

        return rank_correlation(means(agreement, "agreement_score"), means(barriers, "barrier"))

    return _over_trunks(barriers["perturbed"], correlation)


def _barriers(tables: Tables, connection: str, relation: str) -> Table:
    return _of_full_model(tables["barriers"].where(connection=connection, relation=relation))


def _of_full_model(barriers: Table) -> Table:
    return barriers.where(split="validation", metric="loss", keep="full")


def _agreement(tables: Tables, connection: str, relation: str) -> Table:
    return tables["end_agreement"].where(connection=connection, relation=relation)


def _last_split(table: Table) -> float:
    return float(table.numbers("split_step").max())


def _over_trunks(table: Table, statistic: Callable[[str], float], unit: str = "trunks") -> Measured:
    trunks = {f"trunk {name}": name for name in table.distinct("trunks")}
    return over_units(unit, trunks, statistic)


def _over_pairs(table: Table, statistic: Callable[[str], float]) -> Measured:
    measured = _over_trunks(table, statistic, "pairs of trunks")
    times = Counter(trunk for pair in table.distinct("trunks") for trunk in pair.split("-"))
    if max(times.values()) == 1:
        return measured
    return replace(
        measured,
        caveat="pairs that share a trunk are not independent: the interval may be too narrow",
    )
