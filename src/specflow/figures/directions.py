"""Agreement and alignment of singular vectors: one diagonal in full, and the scores of all."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.averages import grid
from specflow.figures.registry import figure, has_rows
from specflow.figures.scores import draw_scores, height_of, scores_of, title_columns
from specflow.figures.style import AGREEMENT_MAP, ALIGNMENT_MAP
from specflow.figures.subjects import Key, Subject
from specflow.frames import Tables

_HEIGHT = 1.9  # inches of a diagonal
_AGREEMENT = "Agreement of singular vectors with the final checkpoint"
_ALIGNMENT = "Alignment of neighbouring layers"
_CAPTION = (
    "The diagonal of one {} above the scores of all, each the mean of the first entries of its "
    "diagonal; means over seeds. Null levels are those of unrelated matrices"
)


def _with_pairs(tables: Tables, subject: Subject) -> list[Subject]:
    return [one for one in subject.members if len(one.layers(tables, "pair"))]


@figure(
    *("experiment", "checkpoints"),
    title=_AGREEMENT,
    caption=_CAPTION.format("matrix") + ".",
    claims=("top_settles_early",),
    when=has_rows("agreement_diagonal"),
    order=4,
)
def agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle."""
    _draw(fig, tables, [subject], "agreement")


@figure(
    "problems",
    title=_AGREEMENT,
    caption=_CAPTION.format("matrix") + ".",
    claims=("top_settles_early",),
)
def problems_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle, a column for each problem."""
    _draw(fig, tables, subject.members, "agreement")


@figure(
    *("experiment", "checkpoints"),
    title=_ALIGNMENT,
    caption=_CAPTION.format("pair") + " (paper, figure 5).",
    claims=("alignment_weak",),
    when=has_rows("alignment_diagonal"),
    order=5,
)
def alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions."""
    _draw(fig, tables, [subject], "alignment")


@figure(
    "problems",
    title=_ALIGNMENT,
    caption=_CAPTION.format("pair") + " (paper, figure 5).",
    claims=("alignment_weak",),
    when=lambda tables, subject: bool(_with_pairs(tables, subject)),
)
def problems_alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions, a column for each problem with pairs."""
    _draw(fig, tables, _with_pairs(tables, subject), "alignment")


def diagonal_of(
    subject: Subject, tables: Tables, name: Literal["agreement", "alignment"], **shown: str
) -> pd.DataFrame:
    """Return the diagonal of one matrix or pair, a row for each index and a column a time."""
    rows = subject.rows(tables, f"{name}_diagonal", **shown)
    return grid(rows, "index", np.unique(rows["index"]), "mean")


def _draw(
    fig: Figure,
    tables: Tables,
    members: Sequence[Subject],
    name: Literal["agreement", "alignment"],
) -> None:
    """Draw a column for each member: diagonal above scores, on one scale of colours from 0."""
    agrees, alone = name == "agreement", len(members) == 1
    key: Key = "matrix" if agrees else "pair"
    table = "spectra" if agrees else "alignment"
    scores = [scores_of(one, tables, table, f"{name}_score", key) for one in members]
    chosen = [one.chosen(tables, key) for one in members]
    diagonals = [
        diagonal_of(one, tables, name, **{key: shown})
        for one, shown in zip(members, chosen, strict=True)
    ]
    drawn = [[0], *diagonals, *(one.values for one in scores)]
    colours = panels.ColourScale.around(AGREEMENT_MAP if agrees else ALIGNMENT_MAP, drawn)
    heights = (_HEIGHT, height_of(scores[0].layers)) if alone else (2.0, 2.0)
    fig.set_figheight(sum(heights) + 1.8)
    upper, lower = fig.subplots(2, len(members), squeeze=False, height_ratios=heights)
    meshes, titles = [], []
    for axes, one, shown, diagonal in zip(upper, scores, chosen, diagonals, strict=True):
        meshes.append(panels.draw_heatmap(axes, diagonal, one.timeline, colours, label=""))
        own = one.layers.loc[[shown]]
        titles.append((*own["label"], f"({panels.null_text(own['null'])})"))
        if alone:
            panels.draw_null_strip(axes, own["null"], colours)
    meshes += draw_scores(lower, scores, colours, nulls=True)
    title_columns(upper, members, [[" ".join(parts)] if alone else parts for parts in titles])
    start = "score: mean of the first entries of every diagonal" if alone else "scores\n"
    for axes, one in zip(lower, scores, strict=True):
        axes.set_title(f"{start} ({panels.null_text(one.layers['null'])})")
    upper[0].set_ylabel("index i of the diagonal")
    panels.add_colour_bar(fig, [*upper, *lower], meshes, name)
