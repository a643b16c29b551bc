"""Claims about single experiments."""

from dataclasses import replace

import numpy as np
import pandas as pd

from specflow.claims.claim import Difference, Subjects, claim
from specflow.claims.measured import (
    CHANGE,
    SHARE,
    Measured,
    UndefinedError,
    mean_of,
    over_seeds,
)
from specflow.frames import BASELINE, RANK, Tables, at_end, where, with_full
from specflow.section import Fraction, Positive, Section

_HALF = 0.5
_NEARLY_ALL = 0.8  # of the matrices, where something happens "nearly everywhere"

# Those that only stand beside the base of a series are judged as that series.
EXPERIMENTS = Subjects(
    "an experiment",
    lambda tables, settings: {
        name: name
        for name in tables["history"]["experiment"].unique()
        if name not in settings.groups.variants
    },
)


@claim(
    text="effective rank falls nearly everywhere",
    statistic="change of normalized effective rank from step 0 to the end that 80% of the matrices "
    "do not exceed",
    holds="<",
    threshold=Difference,
    bounds=(CHANGE,),
    subjects=EXPERIMENTS,
    paper="effective rank decreases in nearly all matrices of all four models (figure 3)",
)
def rank_falls(tables: Tables, experiment: str) -> Measured:
    """Return of every seed the change of rank below which four fifths of its matrices lie.

    Matrices of one row or column have no rank to fall.
    """
    about = where(tables["matrices"], experiment=experiment)
    with_rank = about["matrix"][about[["rows", "columns"]].min(axis=1) > 1].tolist()
    spectra = where(tables["spectra"], experiment=experiment, matrix=with_rank)
    start, end = (
        rows.set_index(["seed", "matrix"])[RANK]
        for rows in (where(spectra, step=0), at_end(spectra))
    )
    return _of_nearly_all(end - start.reindex(end.index), _NEARLY_ALL)


@claim(
    text="top singular values grow disproportionately",
    statistic="log2 of s_1(T)/s_1(0) over median_i s_i(T)/s_i(0) that 80% of the matrices exceed",
    holds=">",
    subjects=EXPERIMENTS,
    paper="top singular values grow at a disproportionate rate (figures 1 and 3)",
)
def unequal_growth(tables: Tables, experiment: str) -> Measured:
    """Return of every seed by how many octaves s_1 outgrows the median s_i in most matrices."""
    growth = where(tables["growth"], experiment=experiment).set_index(["seed", "matrix"])
    return _of_nearly_all(np.log2(growth["top_growth"] / growth["median_growth"]), 1 - _NEARLY_ALL)


def _of_nearly_all(values: pd.Series, share: float) -> Measured:
    """Return of every seed the value below which a share of its matrices lie."""

    def quantile(seed: int) -> float:
        own = values.xs(seed, level="seed")
        if not np.isfinite(own).all():
            raise UndefinedError("not defined for some matrix")
        return float(own.quantile(share))

    return over_seeds(values.index.to_frame(), quantile)


@claim(
    text="the top half of every spectrum carries the function",
    statistic="(L_top - L_full) / (min(L_bottom, L_trivial) - L_full), final loss",
    holds="<",
    threshold=Positive,
    subjects=EXPERIMENTS,
    paper="for all models, keeping the top half is close to the full model, keeping the bottom "
    "half is not (figure 4)",
)
def top_half_suffices(tables: Tables, experiment: str) -> Measured:
    """Return of every seed which share of the loss that its spectra save the bottom half saves.

    Of validation data; of training data where the network is no better on validation data than
    a trivial predictor: there it is these that its weights carry. Of the full network, too, with
    BatchNorm statistics estimated anew. Not defined where the network without its top half is no
    worse than the full one.
    """
    rows = {"experiment": experiment, "metric": "loss"}
    losses = at_end(with_full(*(where(tables[name], **rows) for name in ("history", "pruning"))))
    history = where(tables["history"], experiment=experiment)
    trivial = at_end(where(history, metric="loss" + BASELINE))
    whole = "reestimated" if (losses["keep"] == "reestimated").any() else "full"

    def ratio(seed: int) -> float:
        for split in ("validation", "train"):
            own, which = where(losses, seed=seed, split=split), {"seed": seed, "split": split}
            full = mean_of(where(own, keep=whole), "value")
            most = mean_of(where(trivial, **which), "value")
            top, bottom = (
                mean_of(where(own, keep=keep, keep_fraction=_HALF), "value")
                for keep in ("top", "bottom")
            )
            if full < most and full < bottom:
                return (top - full) / (min(bottom, most) - full)
            if full < most:
                raise UndefinedError("keeping the bottom half costs no loss")
        raise UndefinedError("the network is no better than a trivial predictor")

    return over_seeds(losses, ratio)


class Settled(Section):
    """Boundaries of `top_settles_early`.

    Attributes:
        lead: How much further the top ten directions have settled than the next ten.
        score: How far these have settled.
    """

    lead: Difference
    score: Fraction


@claim(
    text="top directions settle before the end",
    statistic="agreement score with the final checkpoint at half of training (ranks 1 to 10), "
    "minus that of ranks 11 to 20 (lead), and by itself (score)",
    holds=">",
    threshold=Settled,
    bounds=(CHANGE, SHARE),
    subjects=EXPERIMENTS,
    paper="top singular vectors become stable as training proceeds (figure 1)",
)
def top_settles_early(tables: Tables, experiment: str) -> Measured:
    """Return of every seed how far ranks 1 to 10 have settled, beyond ranks 11 to 20, and at all.

    Agreement with the final checkpoint at half of all steps, between two checkpoints on the line
    through these; mean over matrices with 20 directions or more.
    """
    settling = where(tables["settling"], experiment=experiment)

    def score(column: str, seed: int) -> float:
        rows = where(settling, seed=seed)
        if rows.empty:
            raise UndefinedError("no matrix with 20 directions in the tables")
        return mean_of(rows, column)

    seeds = where(tables["spectra"], experiment=experiment)
    return over_seeds(
        seeds,
        lambda seed: score("top_score", seed) - score("next_score", seed),
        lambda seed: score("top_score", seed),
    )


@claim(
    text="neighbours align only weakly",
    statistic="mean alignment score over pairs at the end",
    holds="<",
    threshold=Fraction,
    bounds=(SHARE,),
    subjects=EXPERIMENTS,
    paper="a small alignment of top ranks soon after training begins, more diffuse over time "
    "(figure 5)",
)
def alignment_weak(tables: Tables, experiment: str) -> Measured:
    """Return the alignment score of every seed at the end, mean over pairs of neighbours.

    Its null level is the mean over the same pairs.
    """
    end = at_end(where(tables["alignment"], experiment=experiment))
    seeds = where(tables["spectra"], experiment=experiment)
    scores = over_seeds(seeds, lambda seed: mean_of(where(end, seed=seed), "alignment_score"))
    if not np.isfinite(scores.values).all():
        return scores
    null = mean_of(where(tables["pairs"], experiment=experiment), "null_alignment")
    return replace(scores, over_null=float(np.mean(scores.values)) / null)
