"""Statistics of the claims about single experiments."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specflow.claims.measured import Measured, UndefinedError, at_end, mean_of, over_seeds
from specflow.tables.reading import Table, Tables

_RANK = "normalized_effective_rank"
_HALF = 0.5


def rank_falls(tables: Tables, experiment: str) -> Measured:
    """Say of every matrix and seed whether its rank is lower at the end than at step 0."""
    spectra = tables["spectra"].where(experiment=experiment)
    start, end = (_of_matrices(rows, _RANK) for rows in (spectra.where(step=0), at_end(spectra)))
    return _share(np.array([start[key] for key in end]), np.array(list(end.values())))


def unequal_growth(tables: Tables, experiment: str) -> Measured:
    """Say of every matrix and seed whether s_1 grew by a larger factor than the median s_i."""
    growth = tables["growth"].where(experiment=experiment)
    return _share(growth.numbers("top_growth"), growth.numbers("median_growth"))


def _of_matrices(table: Table, column: str) -> dict[tuple[float, str], float]:
    """Return the values of a column by seed and matrix."""
    keys = zip(table.numbers("seed").tolist(), table.column("matrix").tolist(), strict=True)
    return dict(zip(keys, table.numbers(column).tolist(), strict=True))


def _share(larger: NDArray[np.float64], smaller: NDArray[np.float64]) -> Measured:
    """Return 1 where one exceeds the other, else 0; NaN where one of them is not defined."""
    defined = np.isfinite(larger) & np.isfinite(smaller)
    values = np.where(defined, larger > smaller, np.nan)
    left_out = int((~defined).sum())
    note = f"{left_out} of {len(values)} not defined and left out" if left_out else ""
    return Measured("matrices x seeds", tuple(values.tolist()), is_share=True, note=note)


def top_half_suffices(tables: Tables, experiment: str) -> Measured:
    """Return (L_top - L_full) / (L_bottom - L_full) of every seed: final losses, validation.

    Not defined where the network without its top half is no worse than the full one.
    """
    pruning = tables["pruning"].where(experiment=experiment, split="validation", metric="loss")
    end = at_end(pruning)

    def ratio(seed: float) -> float:
        losses = end.where(seed=seed)
        full = mean_of(losses.where(keep="full"), "value")
        top, bottom = (
            mean_of(losses.where(keep=keep, keep_fraction=_HALF), "value") - full
            for keep in ("top", "bottom")
        )
        if bottom <= 0:
            raise UndefinedError("keeping the bottom half costs no loss")
        return top / bottom

    return over_seeds(pruning, ratio)


def top_settles_early(tables: Tables, experiment: str) -> Measured:
    """Return of every seed how far ranks 1 to 10 have settled, beyond ranks 11 to 20.

    Agreement with the final checkpoint at half of training, mean over matrices with 20 directions
    or more; the second statistic is that of ranks 1 to 10 alone.
    """
    settling = tables["settling"].where(experiment=experiment)

    def score(column: str, seed: float) -> float:
        rows = settling.where(seed=seed)
        if not len(rows):
            raise UndefinedError("no matrix with 20 directions in the tables")
        return mean_of(rows, column)

    seeds = tables["spectra"].where(experiment=experiment)
    top = over_seeds(seeds, lambda seed: score("top_score", seed))
    ahead = over_seeds(seeds, lambda seed: score("top_score", seed) - score("next_score", seed))
    return replace(ahead, score=top.values)


def alignment_weak(tables: Tables, experiment: str) -> Measured:
    """Return the alignment score of every seed at the end, mean over pairs of neighbours.

    Its null level is the mean over the same pairs.
    """
    end = at_end(tables["alignment"].where(experiment=experiment))
    seeds = tables["spectra"].where(experiment=experiment)
    scores = over_seeds(seeds, lambda seed: mean_of(end.where(seed=seed), "alignment_score"))
    if not np.isfinite(scores.values).all():
        return scores
    null = mean_of(tables["pairs"].where(experiment=experiment), "null_alignment")
    return replace(scores, over_null=float(np.mean(scores.values)) / null)


def final_rank(tables: Tables, experiment: str, seed: float) -> float:
    """Return the normalized effective rank of a run at the end, mean over matrices.

    Raises:
        UndefinedError: If a matrix is all zero.
    """
    return mean_of(at_end(tables["spectra"].where(experiment=experiment, seed=seed)), _RANK)
