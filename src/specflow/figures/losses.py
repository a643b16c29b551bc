"""Losses and errors over time, of the full model and after SVD pruning (paper, figure 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures.baselines import baseline_keys, baselines, draw_baselines, metrics_in
from specflow.figures.curves import draw_curve, joined, line_key, scale_ordinate
from specflow.figures.grouping import Curve, curve
from specflow.figures.index import BATCH_NORM
from specflow.figures.style import DASHES, KEEP_COLOURS, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Table, Tables

SPLITS = ("train", "validation")


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
    def line(self) -> dict:
        """Look of its curves; the full model is wide, to be seen below the others."""
        return {
            "color": KEEP_COLOURS[self.keep],
            "linestyle": DASHES[self.rank % len(DASHES)],
            "linewidth": 2.2 if self.keep == "full" else 1.3,
        }


def variants_of(*tables: Table) -> list[Variant]:
    """Return the variants in tables of pruned models: full, then top, then bottom kept.

    Args:
        *tables: With the columns keep and keep_fraction.
    """
    pruned = [rows.numbers("keep_fraction")[rows.column("keep") != "full"] for rows in tables]
    fractions = np.unique(np.concatenate(pruned))[::-1].tolist()
    variants = [Variant("full", 1.0, 0)]
    for keep in ("top", "bottom"):
        variants += [Variant(keep, fraction, rank) for rank, fraction in enumerate(fractions)]
    return variants


def nearest_to_half(variants: Sequence[Variant]) -> list[Variant]:
    """Return full, and of several keep fractions the one nearest to one half."""
    pruned = [variant.keep_fraction for variant in variants if variant.keep != "full"]
    shown = {1.0, min(pruned, key=lambda fraction: abs(fraction - 0.5), default=1.0)}
    return [variant for variant in variants if variant.keep_fraction in shown]


def variant_keys(variants: Sequence[Variant], *others: Line2D) -> list[Line2D]:
    """Return the entries of a legend: columns of full, top kept, bottom kept, and each other one.

    Args:
        variants: What `variants_of` returned.
        *others: Further entries.
    """
    num_fractions = max(1, len(variants) // 2)
    full, *pruned = (line_key(variant.label, **variant.line) for variant in variants)
    blanks = [line_key(" ", color="none") for _ in range(num_fractions - 1)]
    return [full, *blanks, *pruned, *(key for other in others for key in (other, *blanks))]


def pruning_note(variants: Sequence[Variant]) -> str:
    """Return what stands above the legend of a figure of pruned models; nothing if it has none."""
    return BATCH_NORM if len(variants) > 1 else ""


def draw_losses(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw every metric (columns) on training and validation data (rows) against time.

    Mean and one standard deviation over seeds. The full model comes from the history where
    pruning did not measure it. The baseline of a metric is a line in its panels.

    Args:
        tables: history and pruning are read.
        experiment: Which one.
        params: The figures section.

    Returns:
        The figure.
    """
    history = tables["history"].where(experiment=experiment)
    pruning = tables["pruning"].where(experiment=experiment)
    metrics = metrics_in(history)
    levels = {(m, split): baselines(history, m, split) for m in metrics for split in SPLITS}
    timeline = Timeline.of(params.of(experiment))
    variants = variants_of(pruning)
    figure = new_figure(height=1.2 + 2.1 * len(SPLITS))
    panels = figure.subplots(len(SPLITS), len(metrics), sharex=True, sharey="col", squeeze=False)
    for metric, column in zip(metrics, panels.T, strict=True):
        curves = {
            split: variant_curves(history, pruning, variants, timeline, split=split, metric=metric)
            for split in SPLITS
        }
        everything = list(chain(*curves.values()))
        shared = [level for split in SPLITS for level in levels[metric, split]]
        for (split, own), axes in zip(curves.items(), column, strict=True):
            scale_ordinate(axes, everything + shared)
            draw_baselines(axes, levels[metric, split])
            for variant, measured in zip(variants, own, strict=True):
                draw_curve(axes, measured, **variant.line)
            axes.set_title(f"{split} {metric}")
            timeline.apply(axes, joined(everything), None if axes is column[-1] else "")
    others = baseline_keys(levels.values())
    handles = variant_keys(variants, *others)
    figure.legend(
        handles=handles,
        title=pruning_note(variants),
        loc="outside lower center",
        ncols=3 + len(others),
    )
    figure.suptitle(f"Losses and errors with SVD pruning: {experiment}")
    return figure


def variant_curves(
    history: Table, pruning: Table, variants: list[Variant], timeline: Timeline, **panel: str
) -> list[Curve]:
    """Return a curve of each variant, an empty one where it was not measured.

    Args:
        history: Rows of one experiment.
        pruning: Rows of the same experiment.
        variants: Whose curves.
        timeline: Which column is time.
        **panel: Split and metric.
    """
    history, pruning = history.where(**panel), pruning.where(**panel)
    return [
        curve(variant_rows(history, pruning, variant), timeline.column, "value", ["seed"])
        for variant in variants
    ]


def variant_rows(history: Table, pruning: Table, variant: Variant) -> Table:
    """Return the rows of a variant, of the full model from the history if pruning has none."""
    rows = pruning.where(keep=variant.keep, keep_fraction=variant.keep_fraction)
    return history if variant.keep == "full" and len(rows) == 0 else rows
