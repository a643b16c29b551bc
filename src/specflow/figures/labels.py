"""Networks that learn true labels beside networks that memorize random ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import HashableList

from specflow.figures import heatmaps, lines
from specflow.figures.registry import figure
from specflow.figures.style import LABEL_COLOURS, SPLITS, null_text, quantity_label
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, where

_PANELS: list[HashableList[str]] = [
    ["rank", "alignment", "matrices"],
    ["train", "validation", "matrices"],
]
_NETWORK_OFFSET = 0.14  # of a row: the two networks of a pair of labels stand side by side in it
_NETWORKS = [{"color": colour} for colour in LABEL_COLOURS.values()]


@figure(
    "labels",
    title="True and random labels",
    caption="See if a network that memorizes random labels has higher rank and less alignment. "
    "Effective rank, alignment of the middle pairs (all but the first and last), errors; right, "
    "the rank of every matrix at the end of training. Mean and one standard deviation over seeds.",
    claims=("memorization_is_high_rank", "memorization_unaligned"),
)
def labels(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a curve for each of both networks."""
    layers, timeline = subject.layers(tables, "matrix"), subject.timeline(tables)
    fig.set_figheight(1.4 + 2 * heatmaps.height_of(layers, least=1.9))
    panels = fig.subplot_mosaic(_PANELS, width_ratios=[1.15, 1.15, 1.0])
    spectra = subject.rows_of_members(tables, "spectra")
    ranks = [lines.curve(rows, RANK) for rows in spectra]
    lines.draw_curves(panels["rank"], ranks, _NETWORKS, timeline)
    panels["rank"].set_title(f"{quantity_label(RANK)},\nmean over matrices")
    _draw_middle_pairs(panels["alignment"], tables, subject)
    _draw_matrices(panels["matrices"], layers, spectra)
    called = subject.metrics(tables)["error"]
    for split in SPLITS:
        rows = subject.rows_of_members(tables, "history", metric="error", split=split)
        curves = [lines.curve(own, "value") for own in rows]
        lines.draw_curves(panels[split], curves, _NETWORKS, timeline)
        panels[split].set_title(f"{split} {called}")
        lines.scale_fraction(panels[split])
    keys = [lines.line_key(f"{kind} labels", colour) for kind, colour in LABEL_COLOURS.items()]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


def _draw_middle_pairs(axes: Axes, tables: Tables, subject: Subject) -> None:
    middle = subject.layers(tables, "pair").iloc[1:-1]
    if middle.empty:
        axes.set_title("alignment score:\nthere are no middle pairs")
        axes.axis("off")
        return
    rows = subject.rows_of_members(tables, "alignment", pair=list(middle.index))
    curves = [lines.curve(own, "alignment_score") for own in rows]
    lines.draw_curves(axes, curves, _NETWORKS, subject.timeline(tables))
    lines.draw_null_line(
        axes, middle["null"], np.concatenate([lines.extent(one) for one in curves])
    )
    text = null_text(middle["null"])
    axes.set_title(f"alignment score, mean over middle pairs\n(dashed: {text})")


def _draw_matrices(axes: Axes, layers: pd.DataFrame, spectra: Sequence[pd.DataFrame]) -> None:
    """Draw the final rank of each matrix, a row each, of both networks."""
    offsets = (-_NETWORK_OFFSET, _NETWORK_OFFSET)
    for rows, look, offset in zip(spectra, _NETWORKS, offsets, strict=True):
        for place, matrix in enumerate(layers.index):
            seeds = lines.final_values(where(rows, matrix=matrix), RANK)
            mark: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.2} | look
            error = seeds.std() if len(seeds) > 1 else 0.0
            axes.errorbar(seeds.mean(), place + 0.5 + offset, xerr=error, **mark)
    axes.set_ylim(len(layers), 0)
    heatmaps.label_rows(axes, layers["label"])
    axes.set_xlabel(quantity_label(RANK))
    axes.set_title("each matrix at the end of training")
