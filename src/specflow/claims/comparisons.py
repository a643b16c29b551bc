"""Statistics of the claims that compare experiments, seed by seed."""

import numpy as np

from specflow.claims.interval import rank_correlation
from specflow.claims.measured import Measured, UndefinedError, at_end, mean_of, over_seeds
from specflow.claims.runs import final_rank
from specflow.params.groups import DecaySeries
from specflow.tables.reading import Tables

_FITTED = 0.01  # share of wrong answers at which training accuracy has reached 99%


def rank_difference(tables: Tables, experiment: str, other: str) -> Measured:
    """Return of every seed the final mean effective rank of an experiment minus another's."""
    return over_seeds(
        tables["spectra"].where(experiment=experiment),
        lambda seed: final_rank(tables, experiment, seed) - final_rank(tables, other, seed),
    )


def rank_with_loss(tables: Tables, experiment: str) -> Measured:
    """Return of every seed the rank correlation of validation loss and mean effective rank.

    It is over checkpoints, from the first with a training accuracy of 99% on.
    """
    spectra = tables["spectra"].where(experiment=experiment)
    history = tables["history"].where(experiment=experiment)

    def correlation(seed: float) -> float:
        run, ranks = history.where(seed=seed), spectra.where(seed=seed)
        errors = run.where(split="train", metric="error")
        fitted = errors.numbers("step")[errors.numbers("value") <= _FITTED]
        if not len(fitted):
            raise UndefinedError("training accuracy does not reach 99%")
        losses = run.where(split="validation", metric="loss")
        steps = [step for step in losses.numbers("step").tolist() if step >= fitted.min()]
        return rank_correlation(
            [mean_of(losses.where(step=step), "value") for step in steps],
            [mean_of(ranks.where(step=step), "normalized_effective_rank") for step in steps],
        )

    return over_seeds(spectra, correlation)


def rank_with_decay(tables: Tables, series: DecaySeries) -> Measured:
    """Return of every seed the rank correlation of weight decay and final mean effective rank."""

    def correlation(seed: float) -> float:
        names = series.ascending
        decays = [series.weight_decays[name] for name in names]
        return rank_correlation(decays, [final_rank(tables, name, seed) for name in names])

    return over_seeds(tables["spectra"].where(experiment=series.base), correlation)


def middle_alignment_difference(tables: Tables, experiment: str, other: str) -> Measured:
    """Return of every seed the final alignment score of an experiment minus another's.

    It is the mean over the middle pairs: all by depth but the first and the last.
    """

    def score(name: str, seed: float) -> float:
        pairs = tables["pairs"].where(experiment=name)
        by_depth = pairs.column("pair")[np.argsort(pairs.numbers("depth"))]
        middle = by_depth[1:-1].tolist()
        if not middle:
            raise UndefinedError("there are no middle pairs")
        end = at_end(tables["alignment"].where(experiment=name, seed=seed))
        scores = [mean_of(end.where(pair=pair), "alignment_score") for pair in middle]
        return float(np.mean(scores))

    return over_seeds(
        tables["spectra"].where(experiment=experiment),
        lambda seed: score(experiment, seed) - score(other, seed),
    )
