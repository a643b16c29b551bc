"""Figures of suites: singular values, ranks, agreement and alignment over steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from specflow.figures.grouping import Grid, grid
from specflow.figures.heatmap import (
    ROW_HEIGHT,
    ColourScale,
    add_colour_bar,
    draw_heatmap,
    draw_null_strip,
    label_rows,
    null_text,
)
from specflow.figures.layers import Layers, layers_of, short_pair
from specflow.figures.singular_values import draw_evolution, label_index_bar
from specflow.figures.style import (
    AGREEMENT_MAP,
    ALIGNMENT_MAP,
    EFFECTIVE_RANK_MAP,
    new_figure,
)
from specflow.figures.suite_agreements import draw_agreements
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, SuiteFigureParams
from specflow.tables.reading import Numbers, Table, Tables

DrawSuite = Callable[[Tables, str, FiguresParams], Figure]


@dataclass(frozen=True)
class _Scores:
    """A score of every matrix or pair over time, in one panel or several side by side.

    Attributes:
        title: Of the figure.
        quantity: What a colour stands for.
        table: Where the scores are.
        subject: Column that says what a row is: matrix or pair.
        columns: Titles of the panels by column of the table.
        colours: The map of the quantity.
        with_null: Whether unrelated matrices have a score of their own.
    """

    title: str
    quantity: str
    table: str
    subject: Literal["matrix", "pair"]
    columns: dict[str, str]
    colours: Colormap
    with_null: bool


_RANK = _Scores(
    title="Normalized effective rank of all matrices",
    quantity="normalized effective rank",
    table="suite_spectra",
    subject="matrix",
    columns={"normalized_effective_rank": ""},
    colours=EFFECTIVE_RANK_MAP,
    with_null=False,
)
_AGREEMENT = _Scores(
    title="Agreement of singular vectors",
    quantity="agreement score",
    table="suite_spectra",
    subject="matrix",
    columns={
        "agreement_score": "with the last step",
        "step_agreement_score": "with the step before",
    },
    colours=AGREEMENT_MAP,
    with_null=True,
)
_ALIGNMENT = _Scores(
    title="Alignment of neighbouring matrices",
    quantity="alignment score",
    table="suite_alignment",
    subject="pair",
    columns={"alignment_score": ""},
    colours=ALIGNMENT_MAP,
    with_null=True,
)


_LONGEST_LABEL = 60  # characters; the middle of longer ones is left out


def has_pairs(tables: Tables, suite: str) -> bool:
    """Return whether any neighbours of a suite are compared."""
    return len(tables["suite_pairs"].where(suite=suite)) > 0


def _timeline(params: SuiteFigureParams, steps: Numbers) -> Timeline:
    scale = params.scale
    if scale == "auto":
        distinct = np.unique(steps)
        low, high = float(distinct[0]), float(distinct[-1])
        early = float(np.median(distinct)) - low < (high - low) / 10
        scale = "log" if early and len(distinct) > 2 else "linear"
    return Timeline("step", scale)


def _draw_scores(scores: _Scores, tables: Tables, suite: str, params: FiguresParams) -> Figure:
    """Draw scores as heatmaps, depth downward.

    Args:
        scores: What is drawn.
        tables: suite_matrices or suite_pairs, and the table of the scores, are read.
        suite: Which suite.
        params: The figures section.

    Returns:
        The figure.
    """
    layers, table = _layers(tables, suite, scores.subject), tables[scores.table].where(suite=suite)
    shown = params.suites.get(suite, SuiteFigureParams())
    timeline = _timeline(shown, table.numbers("step"))
    grids = [grid(table, scores.subject, layers.names, "step", name) for name in scores.columns]
    figure = new_figure(height=max(1.5 + ROW_HEIGHT * len(layers.names), 2.8))
    panels = figure.subplots(1, len(grids), sharey=True, squeeze=False)[0]
    everything = np.concatenate([one.values.ravel() for one in grids])
    nulls = layers.nulls if scores.with_null else np.empty(0)
    colours = ColourScale.around(scores.colours, np.concatenate([everything, nulls]))
    meshes: list[QuadMesh] = []
    for axes, one, title in zip(panels, grids, scores.columns.values(), strict=True):
        meshes.append(draw_heatmap(axes, one, timeline, colours))
        axes.set_title(title, y=1.0)  # not above the label of the strip of null levels
        axes.tick_params(axis="y", length=0)
        timeline.apply(axes, one.x)
    label_rows(panels[0], layers.labels)
    if scores.with_null:
        draw_null_strip(panels[-1], layers.nulls, colours)
    add_colour_bar(figure, panels, _explained(meshes, grids), scores.quantity)
    note = f" ({null_text(layers.nulls)})" if scores.with_null else ""
    figure.suptitle(f"{scores.title}{note}: {suite}", parse_math=False)
    return figure


def _explained(meshes: Sequence[QuadMesh], grids: Sequence[Grid]) -> QuadMesh:
    """Return the mesh whose colours a bar explains: one with cells that are not defined, if any."""
    masked = [not np.isfinite(one.values).all() for one in grids]
    return meshes[masked.index(True)] if any(masked) else meshes[0]


def _layers(tables: Tables, suite: str, subject: Literal["matrix", "pair"]) -> Layers:
    if subject == "matrix":
        rows = tables["suite_matrices"].where(suite=suite)
        layers = layers_of(rows, "matrix", "label", "null_agreement")
        return replace(layers, labels=[shortened(label) for label in layers.labels])
    rows = tables["suite_pairs"].where(suite=suite)
    layers = layers_of(rows, "pair", "pair", "null_alignment")
    return replace(layers, labels=[shortened(short_pair(pair)) for pair in layers.names])


def shortened(label: str) -> str:
    """Return a label of 60 characters at most: of a longer one, the start and the end."""
    if len(label) <= _LONGEST_LABEL:
        return label
    start = _LONGEST_LABEL // 2
    return f"{label[:start]}…{label[start + 1 - _LONGEST_LABEL :]}"


def _draw_singular_values(tables: Tables, suite: str, params: FiguresParams) -> Figure:
    """Draw the singular values of the chosen matrix against the step.

    Args:
        tables: suite_matrices and suite_singular_values are read.
        suite: Which suite.
        params: The figures section.

    Returns:
        The figure.
    """
    table = tables["suite_singular_values"].where(suite=suite)
    values = table.numbers("value")
    spread = {"mean": values, "std": np.where(np.isfinite(values), 0.0, np.nan)}
    label = _layers(tables, suite, "matrix").label_of(table.distinct("matrix")[0])
    shown = params.suites.get(suite, SuiteFigureParams())
    timeline = _timeline(shown, table.numbers("step"))
    figure = new_figure(height=3.5)
    axes = figure.subplots()
    colours = draw_evolution(axes, Table(table.name, {**table.columns, **spread}), timeline)
    timeline.apply(axes, table.numbers("step"))
    axes.set_ylabel("singular value")
    bar = figure.colorbar(colours, ax=axes, label="rank (1 = largest)", pad=0.015, aspect=30)
    label_index_bar(bar)
    bar.ax.invert_yaxis()
    figure.suptitle(f"Singular values of {label}: {suite}", parse_math=False)
    return figure


def _draw_any_two(tables: Tables, suite: str, params: FiguresParams) -> Figure:
    """Draw the agreement of any two steps; suite_matrices and suite_agreement are read."""
    table = tables["suite_agreement"].where(suite=suite)
    layers = _layers(tables, suite, "matrix")
    titles = {
        name: layers.label_of(name) if name in layers.names else name
        for name in table.distinct("matrix")
    }
    timeline = _timeline(params.suites.get(suite, SuiteFigureParams()), table.numbers("step"))
    return draw_agreements(table, titles, timeline, f"Agreement of any two steps: {suite}")


OF_SUITE: dict[str, DrawSuite] = {
    "suite_singular_values": _draw_singular_values,
    "suite_effective_rank": partial(_draw_scores, _RANK),
    "suite_agreement": partial(_draw_scores, _AGREEMENT),
    "suite_any_two": _draw_any_two,
}
OF_SUITE_PAIRS: dict[str, DrawSuite] = {"suite_alignment": partial(_draw_scores, _ALIGNMENT)}
