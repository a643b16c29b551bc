"""Claims that compare experiments, or tickets, seed by seed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from specflow.claims.claim import Correlation, Subjects, claim
from specflow.claims.measured import (
    Measured,
    UndefinedError,
    mean_of,
    means_of,
    over_seeds,
    rank_correlation,
)
from specflow.frames import RANK, Tables, at_end, first_fits, where
from specflow.studies.comparisons import DecaySeries

Pair = tuple[str, str]  # the one, and the other that is subtracted


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
    subjects=_against_no_decay("decay"),
    paper="grokking co-occurs with low-rank weights; without weight decay there is neither "
    "(figure 2)",
)
def grokking_is_low_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with weight decay minus without."""
    return _rank_difference(tables, pair)


@claim(
    text="grokking and the fall of rank happen at the same time",
    statistic="rank correlation over checkpoints of validation loss and mean normalized effective "
    "rank, after training accuracy reaches 99%",
    holds=">",
    threshold=Correlation,
    subjects=_GROKKING,
    paper="validation is fitted late, and that is when effective rank falls (figure 2)",
)
def grokking_coincides(tables: Tables, experiment: str) -> Measured:
    """Return of every seed the rank correlation of validation loss and mean effective rank.

    It is over checkpoints, from the first with a training accuracy of 99% on.
    """
    spectra = where(tables["spectra"], experiment=experiment)
    history = where(tables["history"], experiment=experiment)

    def correlation(seed: int) -> float:
        run = where(history, seed=seed)
        fitted = first_fits(where(run, split="train", metric="error")).get(seed, np.nan)
        if np.isnan(fitted):
            raise UndefinedError("training accuracy does not reach 99%")
        losses = where(run, split="validation", metric="loss")
        steps = losses["step"][losses["step"] >= fitted]
        return rank_correlation(
            means_of(losses, "value", step=steps),
            means_of(where(spectra, seed=seed), RANK, step=steps),
        )

    return over_seeds(spectra, correlation)


@claim(
    text="with 90% of the data, low rank without weight decay",
    statistic="final mean normalized effective rank, with most data minus with few, no weight "
    "decay",
    holds="<",
    subjects=_against_no_decay("most_data"),
    paper="more data lead to low-rank solutions from the beginning, without weight decay too "
    "(figure 2)",
)
def more_data_low_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with most data minus with few."""
    return _rank_difference(tables, pair)


@claim(
    text="more weight decay, lower rank",
    statistic="rank correlation of weight decay and final mean normalized effective rank",
    holds="<",
    threshold=Correlation,
    subjects=_SERIES,
    paper="weight decay enhances the bias to low rank, beyond its role as a norm regularizer "
    "(abstract)",
)
def decay_lowers_rank(tables: Tables, series: DecaySeries) -> Measured:
    """Return of every seed the rank correlation of weight decay and final mean effective rank."""
    names = series.ascending
    decays = [series.weight_decays[name] for name in names]
    return over_seeds(
        where(tables["spectra"], experiment=series.base),
        lambda seed: rank_correlation(decays, [_final_rank(tables, name, seed) for name in names]),
    )


@claim(
    text="random labels end with higher rank",
    statistic="final mean normalized effective rank, random minus true labels",
    holds=">",
    subjects=_LABELS,
    paper="memorizing networks end with higher effective rank than generalizing ones",
)
def memorization_is_high_rank(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final mean effective rank with random labels minus with true."""
    return _rank_difference(tables, pair)


@claim(
    text="random labels end with weaker alignment of middle layers",
    statistic="final alignment score, mean over all pairs but the first and the last, random minus "
    "true labels",
    holds="<",
    subjects=_LABELS,
    paper="middle layers align with true labels, not with random ones",
)
def memorization_unaligned(tables: Tables, pair: Pair) -> Measured:
    """Return of every seed the final alignment score with random labels minus with true.

    It is the mean over the middle pairs: all by depth but the first and the last.
    """

    def score(name: str, seed: int) -> float:
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


def _rank_difference(tables: Tables, pair: Pair) -> Measured:
    seeds = where(tables["spectra"], experiment=pair[0])
    return _difference(seeds, pair, lambda name, seed: _final_rank(tables, name, seed))


def _difference(seeds: pd.DataFrame, pair: Pair, score: Callable[[str, int], float]) -> Measured:
    """Return of every seed in a table the score of the one minus that of the other."""
    one, other = pair
    return over_seeds(seeds, lambda seed: score(one, seed) - score(other, seed))


def _final_rank(tables: Tables, experiment: str, seed: int) -> float:
    """Return the normalized effective rank of a run at the end, mean over matrices."""
    return mean_of(at_end(where(tables["spectra"], experiment=experiment, seed=seed)), RANK)
