"""True against random labels: ranks, alignment and errors of two networks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import HashableList

from specflow.figures import panels
from specflow.figures.averages import curve, final_values
from specflow.figures.registry import figure
from specflow.figures.scores import height_of
from specflow.figures.spectra import RANK
from specflow.figures.style import LABEL_COLOURS, quantity_label
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_PANELS: list[HashableList[str]] = [
    ["rank", "alignment", "matrices"],
    ["train", "validation", "matrices"],
]
_OFFSET = 0.14  # of a row: the two networks stand side by side in it
_LOOKS = [{"color": colour} for colour in LABEL_COLOURS.values()]


@figure(
    "labels",
    title="True and random labels, mean and one standard deviation over seeds",
    caption="Effective rank, alignment of the middle pairs (all but the first and last), errors.",
    claims=("memorization_is_high_rank", "memorization_unaligned"),
)
def labels(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a curve for each of both networks."""
    layers, timeline = subject.layers(tables, "matrix"), subject.timeline(tables)
    fig.set_figheight(1.4 + 2 * height_of(layers, least=1.9))
    mosaic = fig.subplot_mosaic(_PANELS, width_ratios=[1.15, 1.15, 1.0])
    spectra = subject.rows_of_members(tables, "spectra")
    ranks = [curve(rows, RANK) for rows in spectra]
    panels.draw_curves(mosaic["rank"], ranks, _LOOKS, timeline, "")
    mosaic["rank"].set_title(f"{quantity_label(RANK)},\nmean over matrices")
    _draw_middle(mosaic["alignment"], tables, subject)
    _draw_matrices(mosaic["matrices"], layers, spectra)
    for split in ("train", "validation"):
        rows = subject.rows_of_members(tables, "history", metric="error", split=split)
        panels.draw_curves(mosaic[split], [curve(own, "value") for own in rows], _LOOKS, timeline)
        mosaic[split].set_title(f"{split} error")
    for name in ("rank", "train", "validation"):
        panels.scale_fraction(mosaic[name])
    keys = [
        panels.line_key(f"{kind} labels: {member.name}", colour)
        for (kind, colour), member in zip(LABEL_COLOURS.items(), subject.members, strict=True)
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


def _draw_middle(axes: Axes, tables: Tables, subject: Subject) -> None:
    middle = subject.layers(tables, "pair").iloc[1:-1]
    if middle.empty:
        axes.set_title("alignment score:\nthere are no middle pairs")
        axes.axis("off")
        return
    rows = subject.rows_of_members(tables, "alignment", pair=list(middle.index))
    curves = [curve(own, "alignment_score") for own in rows]
    panels.draw_curves(axes, curves, _LOOKS, subject.timeline(tables), "")
    panels.draw_null_line(axes, middle["null"], pd.concat([one["mean"] for one in curves]))
    text = panels.null_text(middle["null"])
    axes.set_title(f"alignment score, mean over middle pairs\n(dashed: {text})")


def _draw_matrices(axes: Axes, layers: pd.DataFrame, spectra: Sequence[pd.DataFrame]) -> None:
    for rows, look, offset in zip(spectra, _LOOKS, (-_OFFSET, _OFFSET), strict=True):
        for place, matrix in enumerate(layers.index):
            seeds = final_values(where(rows, matrix=matrix), RANK)
            mark: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.2} | look
            error = seeds.std() if len(seeds) > 1 else 0.0
            axes.errorbar(seeds.mean(), place + 0.5 + offset, xerr=error, **mark)
    axes.set_ylim(len(layers), 0)
    axes.set_xlim(-0.03, 1.03)
    panels.label_rows(axes, layers["label"])
    axes.set_title(f"{quantity_label(RANK)}\nof each matrix at the end")
