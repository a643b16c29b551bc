"""Claims that compare experiments, seed by seed."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from specflow.claims.claim import Correlation, Subjects, claim
from specflow.claims.evidence import Evidence
from specflow.claims.interval import rank_correlation
from specflow.claims.measured import Measured, UndefinedError, mean_of, over_seeds
from specflow.claims.runs import final_rank
from specflow.frames import Tables, at_end, where
from specflow.studies.comparisons import DecaySeries, LabelPair

_FITTED = 0.01  # share of wrong answers at which training accuracy has reached 99%


class _Against(NamedTuple):
    experiment: str
    other: str


def _against_no_decay(role: str) -> Subjects:
    """Compare the experiment in a role with the one without weight decay."""

    def pairs(seen: Evidence) -> Mapping[str, _Against]:
        name, no_decay = getattr(seen.roles, role), seen.roles.no_decay
        return {name: _Against(name, no_decay)} if name and no_decay else {}

    needs = f"experiments in claims.grokking.{role} and claims.grokking.no_decay"
    return Subjects("experiments", needs, pairs)


_GROKKING = Subjects(
    "experiments",
    "an experiment in claims.grokking.decay",
    lambda seen: {name: name for name in (seen.roles.decay,) if name},
)
_SERIES = Subjects(
    "experiments",
    "three experiments that differ only in weight decay",
    lambda seen: seen.groups.weight_decay,
)
_LABELS = Subjects(
    "experiments",
    "two experiments that differ only in permuted_labels",
    lambda seen: seen.groups.labels,
)


@claim(
    text="generalization by grokking comes with a fall of rank",
    statistic="final mean normalized effective rank, with weight decay minus without",
    holds="<",
    subjects=_against_no_decay("decay"),
    paper="grokking co-occurs with low-rank weights; without weight decay there is neither "
    "(figure 2)",
)
def grokking_is_low_rank(tables: Tables, pair: _Against) -> Measured:
    """Return of every seed the final mean effective rank with weight decay minus without."""
    return _rank_difference(tables, *pair)


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
        run, ranks = where(history, seed=seed), where(spectra, seed=seed)
        errors = where(run, split="train", metric="error")
        fitted = errors["step"][errors["value"] <= _FITTED]
        if fitted.empty:
            raise UndefinedError("training accuracy does not reach 99%")
        losses = where(run, split="validation", metric="loss")
        steps = losses["step"][losses["step"] >= fitted.min()]
        return rank_correlation(
            [mean_of(where(losses, step=step), "value") for step in steps],
            [mean_of(where(ranks, step=step), "normalized_effective_rank") for step in steps],
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
def more_data_low_rank(tables: Tables, pair: _Against) -> Measured:
    """Return of every seed the final mean effective rank with most data minus with few."""
    return _rank_difference(tables, *pair)


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

    def correlation(seed: int) -> float:
        names = series.ascending
        decays = [series.weight_decays[name] for name in names]
        return rank_correlation(decays, [final_rank(tables, name, seed) for name in names])

    return over_seeds(where(tables["spectra"], experiment=series.base), correlation)


@claim(
    text="random labels end with higher rank",
    statistic="final mean normalized effective rank, random minus true labels",
    holds=">",
    subjects=_LABELS,
    paper="memorizing networks end with higher effective rank than generalizing ones",
)
def memorization_is_high_rank(tables: Tables, pair: LabelPair) -> Measured:
    """Return of every seed the final mean effective rank with random labels minus with true."""
    return _rank_difference(tables, pair.random_labels, pair.true_labels)


@claim(
    text="random labels end with weaker alignment of middle layers",
    statistic="final alignment score, mean over all pairs but the first and the last, random minus "
    "true labels",
    holds="<",
    subjects=_LABELS,
    paper="middle layers align with true labels, not with random ones",
)
def memorization_unaligned(tables: Tables, pair: LabelPair) -> Measured:
    """Return of every seed the final alignment score with random labels minus with true.

    It is the mean over the middle pairs: all by depth but the first and the last.
    """

    def score(name: str, seed: int) -> float:
        by_depth = where(tables["pairs"], experiment=name).sort_values("depth")["pair"]
        middle = by_depth.tolist()[1:-1]
        if not middle:
            raise UndefinedError("there are no middle pairs")
        end = at_end(where(tables["alignment"], experiment=name, seed=seed))
        scores = [mean_of(where(end, pair=one), "alignment_score") for one in middle]
        return float(np.mean(scores))

    return over_seeds(
        where(tables["spectra"], experiment=pair.random_labels),
        lambda seed: score(pair.random_labels, seed) - score(pair.true_labels, seed),
    )


def _rank_difference(tables: Tables, experiment: str, other: str) -> Measured:
    """Return of every seed the final mean effective rank of an experiment minus another's."""
    return over_seeds(
        where(tables["spectra"], experiment=experiment),
        lambda seed: final_rank(tables, experiment, seed) - final_rank(tables, other, seed),
    )
