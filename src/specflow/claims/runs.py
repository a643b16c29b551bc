"""Claims about single experiments."""

from dataclasses import replace

import numpy as np
import pandas as pd

from specflow.claims.claim import Subjects, TwoThresholds, claim
from specflow.claims.measured import Measured, UndefinedError, mean_of, over_seeds
from specflow.frames import RANK, Tables, at_end, where, with_full
from specflow.section import Fraction, Positive

_HALF = 0.5

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
    statistic="share of matrices whose normalized effective rank is lower at the end than at step "
    "0",
    holds=">",
    threshold=Fraction,
    subjects=EXPERIMENTS,
    paper="effective rank decreases in nearly all matrices of all four models (figure 3)",
)
def rank_falls(tables: Tables, experiment: str) -> Measured:
    """Say of every matrix and seed whether its rank is lower at the end than at step 0."""
    spectra = where(tables["spectra"], experiment=experiment)
    start, end = (
        rows.set_index(["seed", "matrix"])[RANK]
        for rows in (where(spectra, step=0), at_end(spectra))
    )
    return _share(start.reindex(end.index), end)


@claim(
    text="top singular values grow disproportionately",
    statistic="share of matrices with s_1(T)/s_1(0) > median_i s_i(T)/s_i(0)",
    holds=">",
    threshold=Fraction,
    subjects=EXPERIMENTS,
    paper="top singular values grow at a disproportionate rate (figures 1 and 3)",
)
def unequal_growth(tables: Tables, experiment: str) -> Measured:
    """Say of every matrix and seed whether s_1 grew by a larger factor than the median s_i."""
    growth = where(tables["growth"], experiment=experiment)
    return _share(growth["top_growth"], growth["median_growth"])


def _share(larger: pd.Series, smaller: pd.Series) -> Measured:
    """Return 1 where one exceeds the other, else 0; NaN where one of them is not defined."""
    defined = np.isfinite(larger) & np.isfinite(smaller)
    values = np.where(defined, larger > smaller, np.nan)
    left_out = int((~defined).sum())
    note = f"{left_out} of {len(values)} not defined and left out" if left_out else ""
    return Measured("matrices x seeds", tuple(values.tolist()), is_share=True, note=note)


@claim(
    text="the top half of every spectrum carries the function",
    statistic="(L_top - L_full) / (L_bottom - L_full), final validation loss",
    holds="<",
    threshold=Positive,
    subjects=EXPERIMENTS,
    paper="for all models, keeping the top half is close to the full model, keeping the bottom "
    "half is not (figure 4)",
)
def top_half_suffices(tables: Tables, experiment: str) -> Measured:
    """Return (L_top - L_full) / (L_bottom - L_full) of every seed: final losses, validation.

    Not defined where the network without its top half is no worse than the full one.
    """
    rows = {"experiment": experiment, "split": "validation", "metric": "loss"}
    losses = with_full(*(where(tables[name], **rows) for name in ("history", "pruning")))
    end = at_end(losses)

    def ratio(seed: int) -> float:
        of_seed = where(end, seed=seed)
        full = mean_of(where(of_seed, keep="full"), "value")
        top, bottom = (
            mean_of(where(of_seed, keep=keep, keep_fraction=_HALF), "value") - full
            for keep in ("top", "bottom")
        )
        if bottom <= 0:
            raise UndefinedError("keeping the bottom half costs no loss")
        return top / bottom

    return over_seeds(losses, ratio)


@claim(
    text="top directions settle before the end",
    statistic="agreement score with the final checkpoint at half of training (ranks 1 to 10), "
    "minus that of ranks 11 to 20",
    holds=">",
    threshold=TwoThresholds,
    subjects=EXPERIMENTS,
    paper="top singular vectors become stable as training proceeds (figure 1)",
)
def top_settles_early(tables: Tables, experiment: str) -> Measured:
    """Return of every seed how far ranks 1 to 10 have settled, beyond ranks 11 to 20.

    Agreement with the final checkpoint at half of training, mean over matrices with 20 directions
    or more; the second statistic is that of ranks 1 to 10 alone.
    """
    settling = where(tables["settling"], experiment=experiment)

    def score(column: str, seed: int) -> float:
        rows = where(settling, seed=seed)
        if rows.empty:
            raise UndefinedError("no matrix with 20 directions in the tables")
        return mean_of(rows, column)

    seeds = where(tables["spectra"], experiment=experiment)
    top = over_seeds(seeds, lambda seed: score("top_score", seed))
    ahead = over_seeds(seeds, lambda seed: score("top_score", seed) - score("next_score", seed))
    return replace(ahead, score=top.values)


@claim(
    text="neighbours align only weakly",
    statistic="mean alignment score over pairs at the end",
    holds="<",
    threshold=Fraction,
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
