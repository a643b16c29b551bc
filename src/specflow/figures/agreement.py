"""Agreement of singular vectors between checkpoints, and their alignment between neighbours."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from specflow.figures import heatmaps, panels, style
from specflow.figures.registry import When, figure, has_rows, over_steps
from specflow.figures.style import AGREEMENT_MAP, ALIGNMENT_MAP, null_text
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where
from specflow.studies.shown import Key

_HEIGHT = 1.9  # inches of a diagonal
_MOST_TICKS = 6  # that of six digits side by side fit below a panel
_COLUMNS = 4  # of small panels
Name = Literal["agreement", "alignment"]
_CAPTION = (
    "Colour is {} of one direction: how far {}, from 0 to 1. The diagonal of one {}, large "
    "singular values on top, and the scores of all, each the mean of the first entries of its "
    "diagonal. Null levels are those of unrelated matrices{}."
)
_AGREES = "it is already that of the final checkpoint, on both sides of the matrix"
_ALIGNS = "what a layer writes most is what the next layer reads most"
_UNDEFINED = {
    "agreement": "not defined: the final checkpoint has no singular vectors (NaN, infinity or 0)",
    "alignment": "not defined: no checkpoint has singular vectors of both (NaN, infinity or 0)",
}
_SEEDS = "Means over seeds."
_AGREEMENT: dict[str, Any] = {
    "title": "Agreement of singular vectors with the final checkpoint",
    "caption": _CAPTION.format("the agreement", _AGREES, "matrix", ""),
    "over_seeds": _SEEDS,
    "claims": ("top_settles_early",),
}
_ALIGNMENT: dict[str, Any] = {
    "title": "Alignment of neighbouring layers",
    "caption": _CAPTION.format("the alignment", _ALIGNS, "pair", " (paper, figure 5)"),
    "over_seeds": _SEEDS,
    "claims": ("alignment_weak",),
}
_SMALL: dict[str, Any] = {
    "caption": "The diagonal of each, large singular values on top, in the order of depth; "
    "colours as in the figure of one.",
    "over_seeds": _SEEDS,
    "folded": True,
}


def _with_pairs(tables: Tables, subject: Subject) -> list[Subject]:
    return [one for one in subject.members if len(one.layers(tables, "pair"))]


def _has_several(key: Key) -> When:
    return lambda tables, subject: bool(subject.several(tables, key))


@figure("experiment", "checkpoints", **_AGREEMENT, when=over_steps("agreement_diagonal"), order=4)
def agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle."""
    _draw(fig, tables, [subject], "agreement")


@figure(
    *("experiment", "checkpoints"),
    **_SMALL,
    title="Agreement of singular vectors with the final checkpoint, several matrices",
    claims=("top_settles_early",),
    when=_has_several("matrix"),
    order=4,
)
def several_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle in each matrix that params choose."""
    _draw_small(fig, tables, subject, "agreement")


@figure("problems", **_AGREEMENT)
def problems_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw when directions settle, a row for each problem."""
    _draw(fig, tables, subject.members, "agreement")


@figure("experiment", "checkpoints", **_ALIGNMENT, when=has_rows("alignment_diagonal"), order=5)
def alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions."""
    _draw(fig, tables, [subject], "alignment")


@figure(
    *("experiment", "checkpoints"),
    **_SMALL,
    title="Alignment of several pairs of neighbouring layers",
    claims=("alignment_weak",),
    when=_has_several("pair"),
    order=5,
)
def several_alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions in each pair that params choose."""
    _draw_small(fig, tables, subject, "alignment")


@figure("problems", **_ALIGNMENT, when=lambda tables, subject: bool(_with_pairs(tables, subject)))
def problems_alignment(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw whether neighbours share directions, a row for each problem with pairs."""
    _draw(fig, tables, _with_pairs(tables, subject), "alignment")


def diagonal_of(
    subject: Subject, tables: Tables, name: Name, value: str = "mean", **shown: str
) -> pd.DataFrame:
    """Return the diagonal of one matrix or pair, a row for each index and a column a time."""
    rows = subject.rows(tables, f"{name}_diagonal", **shown)
    return heatmaps.grid(rows, "index", np.unique(rows["index"]), value)


def _key_of(name: Name) -> Key:
    return "matrix" if name == "agreement" else "pair"


def _scale_of(name: Name) -> ScalarMappable:
    return heatmaps.colour_scale(AGREEMENT_MAP if name == "agreement" else ALIGNMENT_MAP, ())


def _draw(fig: Figure, tables: Tables, members: Sequence[Subject], name: Name) -> None:
    """Draw the diagonal of each member above its scores, or beside them if there are several."""
    key, colours, meshes = _key_of(name), _scale_of(name), []
    table = "spectra" if name == "agreement" else "alignment"
    scores = [heatmaps.scores_of(one, tables, table, f"{name}_score", key) for one in members]
    grid = _grid(fig, scores)
    for (left, right), member, own in zip(grid, members, scores, strict=True):
        shown = member.chosen(tables, key)
        diagonal = diagonal_of(member, tables, name, **{key: shown})
        for axes, values in ((left, diagonal), (right, own.values)):
            if values.isna().all(axis=None):
                panels.say(axes, _UNDEFINED[name])
        meshes.append(heatmaps.draw_heatmap(left, diagonal, own.timeline, colours))
        layer = own.layers.loc[[shown]].head(1)
        heatmaps.draw_null_strip(left, layer["null"], colours)
        meshes += heatmaps.draw_scores([right], [own], colours, nulls=True)
        texts = [(layer["label"].iloc[0], null_text(layer["null"]))]
        texts += [("score: mean of the first entries", null_text(own.layers["null"]))]
        if len(members) > 1:
            (label, null), score = texts
            style.title_columns((left, right), [(member.title, label, null), ("", *score)])
        else:
            for axes, (text, null) in zip((left, right), texts, strict=True):
                axes.set_title(f"{text} ({null})")
        left.set_ylabel("index i of the diagonal")
        for axes in (left, right):
            axes.set_xlabel(own.timeline.unit)
    heatmaps.add_colour_bar(fig, grid.flat, meshes, name)


def _grid(fig: Figure, scores: Sequence[heatmaps.Scores]) -> np.ndarray:
    """Return axes of a diagonal and of scores for each member, below or beside each other."""
    heights = [heatmaps.height_of(one.layers, least=_HEIGHT) for one in scores]
    if len(scores) > 1:
        fig.set_figheight(sum(heights) + 1.05 * len(heights) + 0.4)
        return fig.subplots(len(heights), 2, squeeze=False, height_ratios=heights)
    fig.set_figheight(_HEIGHT + heights[0] + 1.9)
    return fig.subplots(2, 1, squeeze=False, height_ratios=(_HEIGHT, heights[0])).T


def _draw_small(fig: Figure, tables: Tables, subject: Subject, name: Name) -> None:
    """Draw the diagonal of each matrix or pair that params choose."""
    key, colours, timeline = _key_of(name), _scale_of(name), subject.timeline(tables)
    several = subject.several(tables, key)
    labels = subject.layers(tables, key)["label"].loc[several]
    grid = panels.small_panels(fig, list(labels), _COLUMNS)
    diagonals = [diagonal_of(subject, tables, name, **{key: one}) for one in several]
    meshes = [
        heatmaps.draw_heatmap(axes, diagonal, timeline, colours)
        for axes, diagonal in zip(grid, diagonals, strict=True)
    ]
    panels.label_columns(grid, timeline.unit, _COLUMNS)
    for axes in grid[::_COLUMNS]:
        axes.set_ylabel("index i")
    heatmaps.add_colour_bar(fig, grid, meshes, name)


@figure(
    *("experiment", "checkpoints"),
    title="Agreement of singular vectors with the checkpoint before",
    caption="Agreement score of every matrix; checkpoints are not evenly spaced, so that a long "
    "step has a low score.",
    over_seeds=_SEEDS,
    when=over_steps("agreement_diagonal"),
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
    caption="Agreement score of one matrix, and the mean over all; each checkpoint has a row and a "
    "column of one size, however far apart they are. A bright square is a stretch of training in "
    "which directions stay.",
    over_seeds=_SEEDS,
    when=over_steps("pairwise_agreement"),
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
    edges = np.arange(len(squares[0]) + 1.0)
    meshes = [
        heatmaps.draw_cells(axes, edges, edges, square.to_numpy(), colours)
        for axes, square in zip(grid, squares, strict=True)
    ]
    style.title_columns(grid, [(labels.get(matrix, matrix),) for matrix in matrices])
    for axes in grid:
        _number_both(axes, squares[0].columns)
        axes.set_xlabel(timeline.unit)
    grid[0].set_ylabel(f"other {timeline.unit}")
    heatmaps.add_colour_bar(fig, grid, meshes, "agreement score")


def _number_both(axes: Axes, times: pd.Index) -> None:
    """Number every second, third, ... checkpoint at the middle of its row and its column."""
    shown = np.arange(0, len(times), -(-len(times) // _MOST_TICKS))
    texts = [f"{time:.0f}" if time == round(time) else f"{time:.3g}" for time in times[shown]]
    axes.set_xticks(shown + 0.5, texts)
    axes.set_yticks(shown + 0.5, texts)
    axes.tick_params(length=0)
    axes.set_box_aspect(1)


def _square(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of all pairs of checkpoints, each of which the table has once."""
    steps, times = np.unique(rows["step"]), np.unique(rows["time"])
    first, second = (np.searchsorted(steps, rows[name]) for name in ("step", "other_step"))
    values = np.full((len(steps), len(steps)), np.nan)
    values[first, second] = values[second, first] = rows["agreement_score"]
    return pd.DataFrame(values, times, times)
