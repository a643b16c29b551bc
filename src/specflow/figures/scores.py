"""Scores of every matrix or pair over time: heatmaps with depth downward, a column a subject."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from specflow.figures import panels
from specflow.figures.averages import grid
from specflow.figures.style import column_titles
from specflow.figures.subjects import Key, Subject
from specflow.figures.timeline import Timeline
from specflow.frames import Tables

_ROW_HEIGHT = 0.165  # inches: a line of 8 pt type


class Scores(NamedTuple):
    """Scores of one subject.

    Attributes:
        key: What a row is, matrix or pair.
        values: A row for each, in order of depth, a column for each time.
        layers: Labels and null levels of the rows.
        timeline: The horizontal axis.
    """

    key: Key
    values: pd.DataFrame
    layers: pd.DataFrame
    timeline: Timeline


def height_of(layers: pd.DataFrame, least: float = 1.2) -> float:
    """Return inches in which every row can have a label."""
    return max(_ROW_HEIGHT * len(layers), least)


def scores_of(
    subject: Subject, tables: Tables, table: str, column: str, key: Key = "matrix", **values: Any
) -> Scores:
    """Return means of a column over all rows of one matrix or pair (`key`) and one time.

    Only rows whose other columns have `values` count.
    """
    layers = subject.layers(tables, key)
    rows = subject.rows(tables, table, **values)
    return Scores(key, grid(rows, key, layers.index, column), layers, subject.timeline(tables))


def draw_scores(
    row: Sequence[Axes],
    columns: Sequence[Scores],
    colours: panels.ColourScale,
    *,
    nulls: bool = False,
    label: str | None = None,
) -> list[QuadMesh]:
    """Draw scores side by side: with labels if there is one column, else with numbers.

    With `nulls`, a single column has a strip of null levels beside it.
    """
    meshes, alone = [], len(columns) == 1
    for axes, (_, values, layers, timeline) in zip(row, columns, strict=True):
        meshes.append(panels.draw_heatmap(axes, values, timeline, colours, label))
        if alone:
            panels.label_rows(axes, layers["label"])
        else:
            panels.number_rows(axes, len(layers))
        if alone and nulls:
            panels.draw_null_strip(axes, layers["null"], colours)
    if not alone:
        row[0].set_ylabel(f"depth (number of the {columns[0].key})")
    return meshes


def draw_score_row(
    fig: Figure,
    row: Sequence[Axes],
    columns: Sequence[Scores],
    colours: Colormap,
    label: str,
    *,
    nulls: bool = False,
) -> None:
    """Draw scores as `draw_scores` on a common scale of colours, which a bar explains."""
    shown = [one.values for one in columns]
    shown += [one.layers["null"] for one in columns] if nulls else []
    scale = panels.ColourScale.around(colours, shown)
    panels.add_colour_bar(fig, row, draw_scores(row, columns, scale, nulls=nulls), label)


def title_columns(
    row: Sequence[Axes], members: Sequence[Subject], parts: Sequence[Sequence[str]]
) -> None:
    """Put a title of parts above each column, after names of the subjects if there are several."""
    names = [[str(member.name)] if len(members) > 1 else [] for member in members]
    titles = column_titles([[*name, *own] for name, own in zip(names, parts, strict=True)])
    for axes, title in zip(row, titles, strict=True):
        axes.set_title(title)
