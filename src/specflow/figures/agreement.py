"""Agreement of singular vectors between checkpoints, and their alignment between neighbours."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from specflow.figures import heatmaps, style
from specflow.figures.registry import figure, has_rows
from specflow.figures.style import AGREEMENT_MAP, ALIGNMENT_MAP, null_text
from specflow.figures.subjects import Key, Subject
from specflow.frames import Tables, where

_HEIGHT = 1.9  # inches of a diagonal
_MOST_TICKS = 12
_CAPTION = (
    "The diagonal of one {} above the scores of all, each the mean of the first entries of its "
    "diagonal; means over seeds. Null levels are those of unrelated matrices"
)
_AGREEMENT: dict[str, Any] = {
    "title": "Agreement of singular vectors with the final checkpoint",
    "caption": _CAPTION.format("matrix") + ".",
    "claims": ("top_settles_early",),
}
_ALIGNMENT: dict[str, Any] = {
    "title": "Alignment of neighbouring layers",
    "caption": _CAPTION.format("pair") + " (paper, figure 5).",
    "claims": ("alignment_weak",),
}


def _with_pairs(tables: Tables, subject: Subject) -> list[Subject]:
    return [one for one in subject.members if len(one.layers(tables, "pair"))]


@figure("experiment", "checkpoints", **_AGREEMENT, when=has_rows("agreement_diagonal"), order=4)
def agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle."""
    _draw(fig, tables, [subject], "agreement")


@figure("problems", **_AGREEMENT)
def problems_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle, a column for each problem."""
    _draw(fig, tables, subject.members, "agreement")


@figure("experiment", "checkpoints", **_ALIGNMENT, when=has_rows("alignment_diagonal"), order=5)
def alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions."""
    _draw(fig, tables, [subject], "alignment")


@figure("problems", **_ALIGNMENT, when=lambda tables, subject: bool(_with_pairs(tables, subject)))
def problems_alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions, a column for each problem with pairs."""
    _draw(fig, tables, _with_pairs(tables, subject), "alignment")


def diagonal_of(
    subject: Subject, tables: Tables, name: Literal["agreement", "alignment"], **shown: str
) -> pd.DataFrame:
    """Return the diagonal of one matrix or pair, a row for each index and a column a time."""
    rows = subject.rows(tables, f"{name}_diagonal", **shown)
    return heatmaps.grid(rows, "index", np.unique(rows["index"]), "mean")


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
    scores = [heatmaps.scores_of(one, tables, table, f"{name}_score", key) for one in members]
    chosen = [one.chosen(tables, key) for one in members]
    diagonals = [
        diagonal_of(one, tables, name, **{key: shown})
        for one, shown in zip(members, chosen, strict=True)
    ]
    drawn = [[0], *diagonals, *(one.values for one in scores)]
    colours = heatmaps.colour_scale(AGREEMENT_MAP if agrees else ALIGNMENT_MAP, drawn)
    heights = (_HEIGHT, heatmaps.height_of(scores[0].layers)) if alone else (2.0, 2.0)
    fig.set_figheight(sum(heights) + 1.8)
    upper, lower = fig.subplots(2, len(members), squeeze=False, height_ratios=heights)
    meshes, titles = [], []
    for axes, one, shown, diagonal in zip(upper, scores, chosen, diagonals, strict=True):
        meshes.append(heatmaps.draw_heatmap(axes, diagonal, one.timeline, colours))
        own = one.layers.loc[[shown]]
        titles.append((*own["label"], f"({null_text(own['null'])})"))
        if alone:
            heatmaps.draw_null_strip(axes, own["null"], colours)
    meshes += heatmaps.draw_scores(lower, scores, colours, nulls=True)
    if alone:
        titles = [(" ".join(parts),) for parts in titles]
    style.title_columns(upper, titles, [str(one.name) for one in members])
    start = "score: mean of the first entries of every diagonal " if alone else "scores\n"
    for axes, one in zip(lower, scores, strict=True):
        axes.set_title(f"{start}({null_text(one.layers['null'])})")
    upper[0].set_ylabel("index i of the diagonal")
    heatmaps.add_colour_bar(fig, [*upper, *lower], meshes, name)


@figure(
    *("experiment", "checkpoints"),
    title="Agreement of singular vectors with the checkpoint before",
    caption="Agreement score of every matrix, mean over seeds; checkpoints are not evenly spaced.",
    when=has_rows("agreement_diagonal"),
    order=6,
)
def step_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix."""
    scores = heatmaps.scores_of(subject, tables, "spectra", "step_agreement_score")
    fig.set_figheight(1.5 + heatmaps.height_of(scores.layers, least=1.3))
    axes = fig.subplots()
    axes.set_title(null_text(scores.layers["null"]))
    heatmaps.draw_score_row(fig, [axes], [scores], AGREEMENT_MAP, "agreement score", nulls=True)


@figure(
    *("experiment", "checkpoints"),
    title="Agreement of any two checkpoints",
    caption="Agreement score of one matrix, and the mean over all; each checkpoint has a row.",
    when=has_rows("pairwise_agreement"),
    order=7,
)
def pairwise_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a square for each matrix that the table has."""
    rows = subject.rows(tables, "pairwise_agreement")
    labels = subject.layers(tables, "matrix")["label"]
    timeline, matrices = subject.timeline(tables), rows["matrix"].unique()
    colours = heatmaps.colour_scale(AGREEMENT_MAP, [rows["agreement_score"]])
    fig.set_figheight(4.2)
    grid = fig.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    squares = [_square(where(rows, matrix=matrix)) for matrix in matrices]
    meshes = [
        heatmaps.draw_heatmap(axes, square, timeline, colours)
        for axes, square in zip(grid, squares, strict=True)
    ]
    style.title_columns(grid, [(labels.get(matrix, matrix),) for matrix in matrices])
    times = squares[0].index
    shown = np.linspace(0, len(times) - 1, min(len(times), _MOST_TICKS)).round().astype(int)
    grid[0].set_yticks(shown + 0.5, times[shown])
    grid[0].tick_params(axis="y", length=0)
    grid[0].set_ylabel(f"other {timeline.unit}")
    heatmaps.add_colour_bar(fig, grid, meshes, "agreement score")


def _square(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of all pairs of checkpoints, each of which the table has once."""
    steps, times = np.unique(rows["step"]), np.unique(rows["time"])
    first, second = (np.searchsorted(steps, rows[name]) for name in ("step", "other_step"))
    values = np.full((len(steps), len(steps)), np.nan)
    values[first, second] = values[second, first] = rows["agreement_score"]
    return pd.DataFrame(values, [f"{time:.4g}" for time in times], times)
