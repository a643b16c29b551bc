"""Claims about linear mode connectivity.

A barrier is that of the full model's validation loss. Within a unit it is the mean over pairs of
branches, and an agreement score the mean over those and over matrices. What a barrier is here, that
across trunks says (mean over splits): branches of networks that share nothing but their data.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from specflow.claims.claim import Difference, Subjects, claim
from specflow.claims.measured import (
    CHANGE,
    POSITIVE,
    SHARE,
    UNBOUNDED,
    Measured,
    UndefinedError,
    mean_of,
    means_of,
    over_units,
    pseudo_values,
)
from specflow.frames import Tables, where
from specflow.section import Fraction, Positive, Section

_NONE = 0.05  # of the barrier across trunks: branches with less are connected


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
    statistic="barrier at the last split over that across trunks, validation loss",
    holds="<",
    threshold=Positive,
    subjects=_WITHIN,
    paper="branches that split once top directions are settled end without a barrier",
)
def late_split_connected(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the barrier at the last split over that across trunks.

    Not defined where branches from step 0 have less than 5% of the latter: where training is
    stable from the start, no split is late.
    """
    barriers = _barriers(tables, connection=connection, relation="within")
    last = barriers["split_step"].max()

    def ratio(trunk: str) -> float:
        return _relative_barrier(tables, connection, trunk, last)

    return _over_trunks(barriers, ratio)


class Shared(Section):
    """Boundaries of `connected_share_directions`.

    Attributes:
        gain: How much more of their directions the ends of late branches share than those of
            branches from step 0.
        score: How much they share.
    """

    gain: Difference
    score: Fraction


@claim(
    text="connected branches share top directions",
    statistic="agreement score of the endpoints of branches from the last split, minus that of "
    "branches from step 0 (gain), and by itself (score)",
    holds=">",
    threshold=Shared,
    bounds=(CHANGE, SHARE),
    subjects=_WITHIN,
    paper="branches that end without a barrier end with the same top directions",
)
def connected_share_directions(tables: Tables, connection: str) -> Measured:
    """Return of every trunk what late branches share of their directions, beyond early ones.

    Not defined where the last split does not connect, or the first one does.
    """
    which = {"connection": connection, "relation": "within"}
    barriers = _barriers(tables, **which)
    first, last = barriers["split_step"].min(), barriers["split_step"].max()

    def score(trunk: str, step: int) -> float:
        if _relative_barrier(tables, connection, trunk, last) >= _NONE:
            raise UndefinedError("branches from the last split are not connected")
        rows = where(tables["endpoint_agreement"], **which, trunks=trunk, split_step=step)
        return mean_of(rows, "agreement_score")

    return _over_trunks(
        barriers,
        lambda trunk: score(trunk, last) - score(trunk, first),
        lambda trunk: score(trunk, last),
    )


def _relative_barrier(tables: Tables, connection: str, trunk: str, step: int) -> float:
    """Return the barrier at a split of a trunk over that across trunks.

    Raises:
        UndefinedError: If not even branches from step 0 have one that is worth the name.
    """
    whole = _whole(tables, connection)
    own = _barriers(tables, connection=connection, relation="within", trunks=trunk)
    start = mean_of(where(own, split_step=0), "barrier")
    if start < _NONE * whole:
        raise UndefinedError("stable from the start: branches from step 0 are connected")
    return mean_of(where(own, split_step=step), "barrier") / whole


def _whole(tables: Tables, connection: str) -> float:
    """Return what a barrier is here: that across trunks, mean over splits.

    Raises:
        UndefinedError: If there is none.
    """
    across = _barriers(tables, connection=connection, relation="across")
    if across.empty:
        raise UndefinedError("there is no barrier across trunks to compare with")
    whole = mean_of(across, "barrier")
    if whole <= 0:
        raise UndefinedError("there is no barrier across trunks")
    return whole


@claim(
    text="different trunks are not connected",
    statistic="barrier across trunks at the last split minus that within a trunk, validation loss",
    holds=">",
    subjects=_ACROSS,
    paper="between branches of different trunks there is always a barrier",
)
def trunks_unconnected(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the pseudo-value of its barriers to others, minus those within."""
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
    bounds=(POSITIVE,),
    subjects=_ACROSS,
    paper="branches of different trunks never share directions",
)
def trunks_share_nothing(tables: Tables, connection: str) -> Measured:
    """Return of every trunk the pseudo-value of its agreement with others over the null level.

    Mean over splits; the null level is the mean over the experiment's matrices.
    """
    across = where(tables["endpoint_agreement"], connection=connection, relation="across")
    (experiment,) = where(tables["connections"], connection=connection)["experiment"]
    matrices = where(tables["matrices"], experiment=experiment)

    def ratio(pair: str) -> float:
        score = mean_of(where(across, trunks=pair), "agreement_score")
        return score / mean_of(matrices, "null_agreement")

    return _over_pairs(across, ratio)


class Broken(Section):
    """Boundaries of `perturbation_breaks`.

    Attributes:
        agreement: By how much less of their directions ends share after the largest perturbation.
        barrier: By how much the barrier rises, over that across trunks.
    """

    agreement: Difference
    barrier: Positive


@claim(
    text="breaking directions breaks connectivity",
    statistic="from no perturbation to the largest: fall of the agreement score of the endpoints "
    "(agreement), and rise of the barrier over that across trunks (barrier)",
    holds=">",
    threshold=Broken,
    bounds=(CHANGE, UNBOUNDED),
    subjects=_PERTURBED,
    paper="agreement of the endpoints falls with the scale of a perturbation as the barrier rises",
)
def perturbation_breaks(tables: Tables, connection: str) -> Measured:
    """Return of every trunk how far agreement falls and the barrier rises.

    Not perturbed are the branches from the same split; of several perturbed splits the last one
    counts. Not defined where these are not connected: there is nothing to break.
    """
    perturbed = _barriers(tables, connection=connection, relation="perturbed")
    which = {
        "connection": connection,
        "relation": ["within", "perturbed"],
        "split_step": perturbed["split_step"].max(),
    }

    def before_and_after(table: pd.DataFrame, column: str, trunk: str) -> list[float]:
        largest = where(perturbed, trunks=trunk)["scale"].max()
        return means_of(where(table, **which, trunks=trunk), column, scale=(0.0, largest))

    def fall(trunk: str) -> float:
        before, after = before_and_after(tables["endpoint_agreement"], "agreement_score", trunk)
        return before - after

    def rise(trunk: str) -> float:
        before, after = before_and_after(_barriers(tables), "barrier", trunk)
        whole = _whole(tables, connection)
        if before >= _NONE * whole:
            raise UndefinedError("branches are not connected without a perturbation")
        return (after - before) / whole

    return _over_trunks(perturbed, fall, rise)


def _over_trunks(table: pd.DataFrame, *statistics: Callable[[str], float]) -> Measured:
    return over_units("trunks", "trunk", table["trunks"].unique(), *statistics)


def _over_pairs(table: pd.DataFrame, statistic: Callable[[str], float]) -> Measured:
    """Measure a statistic on pairs of trunks; the trunks are the units."""
    pairs = table["trunks"].unique()
    measured = over_units("trunks", "trunks", pairs, statistic)
    if len(pairs) < 3 or not np.isfinite(measured.values).all():
        note = measured.note or "fewer than three trunks: pairs of two do not vary"
        return Measured("trunks", (float(np.mean(measured.values)),), note=note)
    of_pairs = {tuple(pair.split("-")): v for pair, v in zip(pairs, measured.values, strict=True)}
    return Measured("trunks", tuple(pseudo_values(of_pairs).values()))
