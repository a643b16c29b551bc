"""Claims about linear mode connectivity.

A barrier is that of the full model's validation loss. Within a unit it is the mean over pairs of
branches, and an agreement score the mean over those and over matrices.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from specflow.claims.claim import Correlation, Subjects, claim
from specflow.claims.measured import (
    Measured,
    UndefinedError,
    mean_of,
    means_of,
    over_units,
    rank_correlation,
)
from specflow.frames import Tables, where
from specflow.section import Positive


def _barriers(tables: Tables, **values: object) -> pd.DataFrame:
    of_full_model = {"split": "validation", "metric": "loss", "keep": "full"}
    return where(tables["barriers"], **of_full_model, **values)


def _connections(relation: str, needs: str) -> Subjects:
    """Judge on the connections of which interpolation paths of a relation were measured."""
    return Subjects(
        needs,
        lambda tables, settings: {
            name: name for name in _barriers(tables, relation=relation)["connection"].unique()
        },
    )


_WITHIN = _connections("within", "a connection")
_ACROSS = _connections("across", "a connection across trunks")
_PERTURBED = _connections("perturbed", "a connection with perturbations")


@claim(
    text="late branches are connected",
    statistic="barrier at the last split over barrier at split 0, validation loss",
    holds="<",
    threshold=Positive,
    subjects=_WITHIN,
    paper="branches that split once top directions are settled end without a barrier",
)
def late_split_connected(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the barrier at the last split over that at split 0.

    Not defined where there is no later split than 0, or no barrier at split 0.
    """
    barriers = _barriers(tables, connection=connection, relation="within")
    last = barriers["split_step"].max()

    def ratio(trunk: str) -> float:
        of_trunk = where(barriers, trunks=trunk)
        first = mean_of(where(of_trunk, split_step=0), "barrier")
        if last == 0:
            raise UndefinedError("there is no split after step 0")
        if first <= 0:
            raise UndefinedError("there is no barrier at split 0")
        return mean_of(where(of_trunk, split_step=last), "barrier") / first

    return _over_trunks(barriers, ratio)


@claim(
    text="connected branches share top directions",
    statistic="rank correlation over split points of barrier and agreement score of the endpoints",
    holds="<",
    threshold=Correlation,
    subjects=_WITHIN,
    paper="branches that end without a barrier end with the same top directions",
)
def connected_share_directions(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the rank correlation over splits of barrier and agreement."""
    which = {"connection": connection, "relation": "within"}
    barriers = _barriers(tables, **which)

    def correlation(trunk: str) -> float:
        rows = where(barriers, trunks=trunk)
        scores = where(tables["endpoint_agreement"], **which, trunks=trunk)
        steps = np.unique(rows["split_step"])
        return rank_correlation(
            means_of(rows, "barrier", split_step=steps),
            means_of(scores, "agreement_score", split_step=steps),
        )

    return _over_trunks(barriers, correlation)


@claim(
    text="different trunks are not connected",
    statistic="barrier across trunks at the last split minus that within a trunk, validation loss",
    holds=">",
    subjects=_ACROSS,
    paper="between branches of different trunks there is always a barrier",
)
def trunks_unconnected(tables: Tables, connection: str) -> Measured:
    """Return of every pair of trunks its barrier at the last split, minus that within the two."""
    barriers = _barriers(tables, connection=connection)
    across, within = where(barriers, relation="across"), where(barriers, relation="within")
    last = across["split_step"].max()
    across, within = where(across, split_step=last), where(within, split_step=last)

    def difference(pair: str) -> float:
        own = means_of(within, "barrier", trunks=pair.split("-"))
        return mean_of(where(across, trunks=pair), "barrier") - float(np.mean(own))

    return _over_pairs(across, difference)


@claim(
    text="different trunks share no directions",
    statistic="agreement score of endpoints across trunks over its null level, mean over splits",
    holds="<",
    threshold=Positive,
    subjects=_ACROSS,
    paper="branches of different trunks never share directions",
)
def trunks_share_nothing(tables: Tables, connection: str) -> Measured:
    """Return of every pair of trunks the agreement score of their endpoints over its null level.

    Mean over splits; the null level is the mean over the experiment's matrices.
    """
    across = where(tables["endpoint_agreement"], connection=connection, relation="across")
    (experiment,) = where(tables["connections"], connection=connection)["experiment"]
    matrices = where(tables["matrices"], experiment=experiment)

    def ratio(pair: str) -> float:
        score = mean_of(where(across, trunks=pair), "agreement_score")
        return score / mean_of(matrices, "null_agreement")

    return _over_pairs(across, ratio)


@claim(
    text="breaking directions breaks connectivity",
    statistic="rank correlation over scales of perturbation of agreement score of the endpoints "
    "and barrier",
    holds="<",
    threshold=Correlation,
    subjects=_PERTURBED,
    paper="agreement of the endpoints falls with the scale of a perturbation as the barrier rises",
)
def perturbation_breaks(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the rank correlation over scales of agreement and barrier.

    Scale 0 is the unperturbed pair of branches from the same split; of several perturbed splits
    the last one counts.
    """
    perturbed = _barriers(tables, connection=connection, relation="perturbed")
    which = {
        "connection": connection,
        "relation": ["within", "perturbed"],
        "split_step": perturbed["split_step"].max(),
    }

    def correlation(trunk: str) -> float:
        scales = [0.0, *np.unique(where(perturbed, trunks=trunk)["scale"])]
        scores = where(tables["endpoint_agreement"], **which, trunks=trunk)
        barriers = _barriers(tables, **which, trunks=trunk)
        return rank_correlation(
            means_of(scores, "agreement_score", scale=scales),
            means_of(barriers, "barrier", scale=scales),
        )

    return _over_trunks(perturbed, correlation)


def _over_trunks(
    table: pd.DataFrame, statistic: Callable[[str], float], plural: str = "trunks"
) -> Measured:
    return over_units(plural, "trunk", table["trunks"].unique(), statistic)


def _over_pairs(table: pd.DataFrame, statistic: Callable[[str], float]) -> Measured:
    measured = _over_trunks(table, statistic, "pairs of trunks")
    times = Counter(trunk for pair in table["trunks"].unique() for trunk in pair.split("-"))
    if max(times.values()) == 1:
        return measured
    return replace(
        measured,
        caveat="pairs that share a trunk are not independent: the interval may be too narrow",
    )
