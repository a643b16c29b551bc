"""The full model and what SVD pruning leaves of it: how figures call and draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from specflow.figures.panels import line_key
from specflow.figures.style import DASHES, KEEP_COLOURS
from specflow.frames import where

SPLITS = ("train", "validation")
BATCH_NORM = (
    "BatchNorm statistics: running averages of the full model, re-estimated for pruned ones"
)


@dataclass(frozen=True)
class Variant:
    """The full model, or what pruning leaves of it.

    Attributes:
        keep: full, top or bottom.
        keep_fraction: Share of every spectrum that is kept, 1 for full.
        rank: Place of the fraction among all fractions, 0 for the largest; full has 0.
    """

    keep: str
    keep_fraction: float
    rank: int

    @property
    def label(self) -> str:
        """What a legend calls it."""
        if self.keep == "full":
            return "full model"
        return f"{self.keep} {100 * self.keep_fraction:g}% of the spectrum kept"

    @property
    def line(self) -> dict[str, Any]:
        """Look of its curves; the full model is wide, to be seen below the others."""
        return {
            "color": KEEP_COLOURS[self.keep],
            "linestyle": DASHES[self.rank % len(DASHES)],
            "linewidth": 2.2 if self.keep == "full" else 1.3,
        }

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return its rows of a table."""
        return where(rows, keep=self.keep, keep_fraction=self.keep_fraction)


def variants_of(*tables: pd.DataFrame) -> list[Variant]:
    """Return the variants in tables of pruned models: full, then top, then bottom kept."""
    pruned = (rows["keep_fraction"][rows["keep"] != "full"] for rows in tables)
    fractions = sorted(set().union(*pruned), reverse=True)
    variants = [Variant("full", 1.0, 0)]
    for keep in ("top", "bottom"):
        variants += [Variant(keep, fraction, rank) for rank, fraction in enumerate(fractions)]
    return variants


def nearest_to_half(variants: Sequence[Variant]) -> list[Variant]:
    """Return full, and of several keep fractions the one nearest to one half."""
    pruned = [variant.keep_fraction for variant in variants if variant.keep != "full"]
    shown = {1.0, min(pruned, key=lambda fraction: abs(fraction - 0.5), default=1.0)}
    return [variant for variant in variants if variant.keep_fraction in shown]


def with_full(history: pd.DataFrame, pruning: pd.DataFrame) -> pd.DataFrame:
    """Return rows of pruned models after those of the full one, which are a run's history."""
    full = history.assign(keep="full", keep_fraction=1.0)
    return pd.concat([full, pruning], ignore_index=True)


def pruning_legend(variants: Sequence[Variant], *others: Line2D) -> dict[str, Any]:
    """Return a legend: columns of full, top kept, bottom kept, and each other entry.

    Args:
        variants: What `variants_of` returned.
        *others: Further entries.
    """
    num_fractions = max(1, len(variants) // 2)
    full, *pruned = (line_key(variant.label, **variant.line) for variant in variants)
    blanks = [line_key(" ", color="none") for _ in range(num_fractions - 1)]
    handles = [full, *blanks, *pruned, *(key for other in others for key in (other, *blanks))]
    return {"handles": handles, "ncols": 3 + len(others)}


def pruning_note(variants: Sequence[Variant]) -> str:
    """Return what stands above the legend of a figure of pruned models; nothing if it has none."""
    return BATCH_NORM if len(variants) > 1 else ""
