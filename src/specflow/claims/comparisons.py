"""Claims that compare experiments, or tickets, seed by seed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from specflow.claims.claim import Difference, Subjects, claim
from specflow.claims.measured import (
    CHANGE,
    FITTED_CHANGE,
    POSITIVE,
    Measured,
    Pair,
    UndefinedError,
    mean_of,
    means_of,
    over_seeds,
)
from specflow.frames import RANK, Tables, at_end, first_fits, where
from specflow.section import Positive
from specflow.studies.comparisons import DecaySeries

_GENERALIZED = 0.05  # share of wrong answers, at most, of who has understood

# Two experiments: the one, and the other that is subtracted.


def _against_no_decay(role: str) -> Subjects:
    """Compare the experiment in a role with the one without weight decay."""

    def pairs(tables: Tables, settings: Any) -> Mapping[str, Pair]:
        roles = settings.claims.roles
        one, other = getattr(roles, role), roles.no_decay
        return {one: (one, other)} if one and other else {}

    return Subjects(f"experiments in claims.grokking.{role} and claims.grokking.no_decay", pairs)


_GROKKING = Subjects(
    "an experiment in claims.grokking.decay",
    lambda tables, settings: {name: name for name in (settings.claims.roles.decay,) if name},
)
_SERIES = Subjects(
    "three experiments that differ only in weight decay",
    lambda tables, settings: settings.groups.weight_decay,
)
_LABELS = Subjects(
    "two experiments that differ only in permuted_labels",
    lambda tables, settings: {
        name: (pair.random_labels, pair.true_labels)
        for name, pair in settings.groups.labels.items()
    },
)


def _ticket_pairs(tables: Tables, settings: Any) -> Mapping[str, Pair]:
    """Return pairs of equal experiment, density and rewind step, by a name that says these."""
    found = {}
    source = ["experiment", "density", "rewind_step"]
    for (experiment, density, step), rows in tables["tickets"].groupby(source, sort=False):
        of_kind = rows.drop_duplicates("kind").set_index("kind")["ticket"]
        if {"magnitude", "random"} <= set(of_kind.index):
            name = f"{experiment}, density {density:g}, step {step}"
            found[name] = (of_kind["magnitude"], of_kind["random"])
    return found


_TICKETS = Subjects(
    "a magnitude and a random ticket of one experiment, density and rewind step", _ticket_pairs
)


@claim(
    text="generalization by grokking comes with a fall of rank",
    statistic="final mean normalized effective rank, with weight decay minus without",
    holds="<",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=_against_no_decay("decay"),
    paper="grokking co-occurs with low-rank weights; without weight decay there is neither "
    "(figure 2)",
)
def grokking_is_low_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with weight decay minus without.

    Not defined where the one does not generalize, or the other does.
    """
    return _rank_difference(tables, pair, _generalizes)


@claim(
    text="grokking and the fall of rank happen at the same time",
    statistic="octaves of training between the step at which the validation error has halved and "
    "that at which mean normalized effective rank has made half of its fall, after training "
    "accuracy reaches 99%",
    holds="<",
    threshold=Positive,
    bounds=(POSITIVE,),
    subjects=_GROKKING,
    paper="validation is fitted late, and that is when effective rank falls (figure 2)",
)
def grokking_coincides(tables: Tables, experiment: str) -> Measured:
    """Return of every seed how many octaves of training lie between the two.

    Between checkpoints both go on the line through these.
    """
    spectra = where(tables["spectra"], experiment=experiment)
    history = where(tables["history"], experiment=experiment, metric="error")

    def octaves(seed: int) -> float:
        errors = where(history, seed=seed, split="validation")
        fitted = first_fits(where(history, seed=seed, split="train")).get(seed, np.nan)
        if np.isnan(fitted):
            raise UndefinedError("training accuracy does not reach 99%")
        steps = errors["step"][errors["step"] >= fitted].tolist()
        values = means_of(errors, "value", step=steps)
        ranks = means_of(where(spectra, seed=seed), RANK, step=steps)
        generalized = _first_below(steps, values, values[0] / 2)
        fallen = _first_below(steps, ranks, (ranks[0] + ranks[-1]) / 2)
        if values[0] <= _GENERALIZED:
            raise UndefinedError("generalizes as soon as training data are fitted")
        if np.isnan(generalized):
            raise UndefinedError("the validation error does not halve")
        if ranks[-1] >= ranks[0]:
            raise UndefinedError("rank does not fall")
        return abs(float(np.log2(fallen / generalized)))

    return over_seeds(spectra, octaves)


def _first_below(steps: Sequence[int], values: Sequence[float], level: float) -> float:
    """Return when values first come down to a level, on the line between steps; NaN if never."""
    for place, value in enumerate(values):
        if value <= level:
            before = max(place - 1, 0)
            ends = [value, values[before]]  # ascending, as interp wants them
            return float(np.interp(level, ends, [steps[place], steps[before]]))
    return np.nan


@claim(
    text="with 90% of the data, rank is low without weight decay",
    statistic="final mean normalized effective rank, with most data minus with few, no weight "
    "decay",
    holds="<",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=_against_no_decay("most_data"),
    paper="more data lead to low-rank solutions from the beginning, without weight decay too "
    "(figure 2)",
)
def more_data_low_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with most data minus with few.

    Not defined where the one does not generalize, or the other does.
    """
    return _rank_difference(tables, pair, _generalizes)


@claim(
    text="more weight decay lowers rank",
    statistic="change of final mean normalized effective rank from the least to the most weight "
    "decay, by the line through all values in their order",
    holds="<",
    threshold=Difference,
    bounds=(FITTED_CHANGE,),
    subjects=_SERIES,
    paper="weight decay enhances the bias to low rank, beyond its role as a norm regularizer "
    "(abstract)",
)
def decay_lowers_rank(tables: Tables, series: DecaySeries) -> Measured:
    """Return of every seed the least-squares line's change over all weight decays in order."""
    names = series.ascending
    places = np.linspace(0, 1, len(names))
    return over_seeds(
        where(tables["spectra"], experiment=series.base),
        lambda seed: float(
            np.polyfit(places, [_final_rank(tables, name, seed) for name in names], 1)[0]
        ),
    )


@claim(
    text="random labels end with higher rank",
    statistic="final mean normalized effective rank, random minus true labels",
    holds=">",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=_LABELS,
    paper="memorizing networks end with higher effective rank than generalizing ones",
)
def memorization_is_high_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with random labels minus with true.

    Not defined where random labels are not memorized.
    """
    return _rank_difference(tables, pair, _memorizes)


@claim(
    text="random labels end with weaker alignment of middle layers",
    statistic="final alignment score, mean over all pairs but the first and the last, random minus "
    "true labels",
    holds="<",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=_LABELS,
    paper="middle layers align with true labels, not with random ones",
)
def memorization_unaligned(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final alignment score with random labels minus with true.

    It is the mean over the middle pairs: all by depth but the first and the last.
    """

    def score(name: str, seed: int) -> float:
        _memorizes(tables, pair, seed)
        by_depth = where(tables["pairs"], experiment=name).sort_values("depth")["pair"]
        middle = by_depth[1:-1]
        if middle.empty:
            raise UndefinedError("there are no middle pairs")
        end = at_end(where(tables["alignment"], experiment=name, seed=seed))
        return float(np.mean(means_of(end, "alignment_score", pair=middle)))

    return _difference(where(tables["spectra"], experiment=pair[0]), pair, score)


@claim(
    text="magnitude masks keep the top directions",
    statistic="agreement score of masked and unmasked final weights, magnitude minus random mask",
    holds=">",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=_TICKETS,
    paper="a global magnitude mask keeps the top singular vectors of the full network, a random "
    "one does not",
)
def tickets_keep_top(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the agreement that a magnitude mask keeps, minus a random mask's.

    Agreement score of the masked with the unmasked final weights, mean over masked matrices.
    """
    masks = tables["ticket_masks"]

    def score(ticket: str, seed: int) -> float:
        return mean_of(where(masks, ticket=ticket, seed=seed), "masked_agreement_score")

    return _difference(where(masks, ticket=pair[0]), pair, score)


def _rank_difference(
    tables: Tables, pair: Pair, check: Callable[[Tables, Pair, int], None]
) -> Measured:
    def difference(seed: int) -> float:
        check(tables, pair, seed)
        one, other = (_final_rank(tables, name, seed) for name in pair)
        return one - other

    return over_seeds(where(tables["spectra"], experiment=pair[0]), difference)


def _generalizes(tables: Tables, pair: Pair, seed: int) -> None:
    """Check that the one of two experiments has understood, and the other not.

    Raises:
        UndefinedError: If not: then there is nothing to compare.
    """
    one, other = (_final_error(tables, name, seed, "validation") for name in pair)
    if one > _GENERALIZED:
        raise UndefinedError(f"{pair[0]} does not generalize")
    if other <= _GENERALIZED:
        raise UndefinedError(f"{pair[1]} generalizes too")


def _memorizes(tables: Tables, pair: Pair, seed: int) -> None:
    """Check that random labels, those of the one of two experiments, were memorized.

    Raises:
        UndefinedError: If not.
    """
    error = _final_error(tables, pair[0], seed, "train")
    if error > _GENERALIZED:
        raise UndefinedError(f"{pair[0]} does not memorize")


def _final_error(tables: Tables, experiment: str, seed: int, split: str) -> float:
    rows = where(tables["history"], experiment=experiment, seed=seed, split=split, metric="error")
    return mean_of(at_end(rows), "value")


def _difference(seeds: pd.DataFrame, pair: Pair, score: Callable[[str, int], float]) -> Measured:
    """Return of every seed in a table the score of the one minus that of the other."""
    return over_seeds(seeds, lambda seed: score(pair[0], seed) - score(pair[1], seed))


def _final_rank(tables: Tables, experiment: str, seed: int) -> float:
    """Return the normalized effective rank of a run at the end, mean over matrices."""
    return mean_of(at_end(where(tables["spectra"], experiment=experiment, seed=seed)), RANK)
