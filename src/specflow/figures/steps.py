"""What changes from one checkpoint to another: any two, or a checkpoint and the one before."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.registry import figure, has_rows
from specflow.figures.scores import draw_score_row, height_of, scores_of
from specflow.figures.style import AGREEMENT_MAP, CHANGE_MAP, column_titles
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_MOST_TICKS = 12


@figure(
    *("experiment", "checkpoints"),
    title="Agreement of singular vectors with the checkpoint before",
    caption="Agreement score of every matrix, mean over seeds; checkpoints are not evenly spaced.",
    when=has_rows("agreement_diagonal"),
    order=6,
)
def step_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix."""
    scores = scores_of(subject, tables, "spectra", "step_agreement_score")
    fig.set_figheight(1.5 + height_of(scores.layers, least=1.3))
    axes = fig.subplots()
    axes.set_title(panels.null_text(scores.layers["null"]))
    draw_score_row(fig, [axes], [scores], AGREEMENT_MAP, "agreement score", nulls=True)


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
    colours = panels.ColourScale.around(AGREEMENT_MAP, [rows["agreement_score"]])
    titles = column_titles([(labels.get(matrix, matrix),) for matrix in matrices])
    fig.set_figheight(4.2)
    meshes, grid = [], fig.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    for axes, matrix, title in zip(grid, matrices, titles, strict=True):
        square = _square(where(rows, matrix=matrix))
        meshes.append(panels.draw_heatmap(axes, square, timeline, colours))
        axes.set_title(title)
    shown = np.linspace(0, len(square) - 1, min(len(square), _MOST_TICKS)).round().astype(int)
    grid[0].set_yticks(shown + 0.5, square.index[shown])
    grid[0].tick_params(axis="y", length=0)
    grid[0].set_ylabel(f"other {timeline.unit}")
    panels.add_colour_bar(fig, grid, meshes, "agreement score")


@figure(
    "checkpoints",
    title="Change of all matrices since the checkpoint before",
    caption="Norm of the difference over that of the matrix before, and cosine with it.",
    when=has_rows("changes"),
    order=6,
)
def changes(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw how far, and in which direction, matrices went."""
    relative = scores_of(subject, tables, "changes", "relative_change")
    cosine = scores_of(subject, tables, "changes", "cosine")
    logarithm = np.log10(relative.values.where(relative.values > 0))
    fig.set_figheight(1.5 + height_of(cosine.layers, least=1.3))
    left, right = fig.subplots(1, 2, sharey=True)
    name = "log10 of the relative change"
    draw_score_row(fig, [left], [relative._replace(values=logarithm)], CHANGE_MAP, name)
    draw_score_row(fig, [right], [cosine], CHANGE_MAP, "cosine")


def _square(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of all pairs of checkpoints, each of which the table has once."""
    steps, times = np.unique(rows["step"]), np.unique(rows["time"])
    first, second = (np.searchsorted(steps, rows[name]) for name in ("step", "other_step"))
    values = np.full((len(steps), len(steps)), np.nan)
    values[first, second] = values[second, first] = rows["agreement_score"]
    return pd.DataFrame(values, [f"{time:.4g}" for time in times], times)
