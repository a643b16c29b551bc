"""The panel that compares conditions of grokking, a row each (figure 2 of the paper)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures.curves import draw_curve, line_key
from specflow.figures.diagonals import diagonal_grid
from specflow.figures.grouping import curve
from specflow.figures.heatmap import ColourScale, draw_heatmap, label_indices
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.singular_values import draw_evolution, label_index_bar
from specflow.figures.style import ALIGNMENT_MAP, DASHES, LINE_COLOURS, SPLIT_COLOURS, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import GrokkingFigureParams
from specflow.tables.reading import Numbers, Tables

_KEY_COLUMNS = 4
_KEY_LINE = 0.18  # inches
_KEY_HEIGHT = 0.35  # of a row: the keys below the columns


def draw_grokking(tables: Tables, params: GrokkingFigureParams) -> Figure:
    """Draw error, singular values, effective rank and alignment (columns) of conditions (rows).

    Mean and one standard deviation over seeds; all rows have the same colours of alignment.

    Args:
        tables: history, matrices, pairs, singular_values, spectra, alignment_diagonal are read.
        params: The section of the panel.

    Returns:
        The figure.
    """
    experiments, timeline = params.experiments, Timeline.of(params)
    lines = _lines_by_label(tables, experiments)
    key_height = _KEY_LINE * math.ceil(len(lines) / _KEY_COLUMNS)
    figure = new_figure(height=1.9 + 1.6 * len(experiments) + key_height)
    heights = [1.0] * len(experiments) + [_KEY_HEIGHT]
    panels = figure.subplots(len(experiments) + 1, 4, height_ratios=heights)
    for row, name in zip(panels, experiments, strict=False):
        x = _draw_error(row[0], tables, name, timeline)
        values = tables["singular_values"].where(experiment=name, matrix=params.matrix)
        indices = draw_evolution(row[1], values, timeline)
        _draw_effective_rank(row[2], tables, name, lines, timeline)
        for axes in row:
            timeline.apply(axes, x, None if name == experiments[-1] else "")
        row[0].set_ylabel(name)
    mesh = _draw_alignments(panels[:-1, 3], tables, params)
    matrix = matrices_of(tables, experiments[0]).label_of(params.matrix)
    pair = pairs_of(tables, experiments[0]).label_of(params.pair)
    _title_columns(panels[0], matrix, pair)
    _draw_keys(panels[-1], indices, mesh)
    figure.legend(
        handles=[line_key(label, **line) for label, line in lines.items()],
        title="normalized effective rank of",
        loc="outside lower center",
        ncols=_KEY_COLUMNS,
    )
    figure.suptitle("Grokking: mean and one standard deviation over seeds")
    return figure


def _lines_by_label(tables: Tables, experiments: Sequence[str]) -> Mapping[str, dict]:
    """Return colour and dashes of every matrix of all experiments, by its label."""
    labels: dict[str, None] = {}
    for name in experiments:
        labels |= dict.fromkeys(matrices_of(tables, name).labels)
    return {
        label: {
            "color": LINE_COLOURS[place % len(LINE_COLOURS)],
            "linestyle": DASHES[place // len(LINE_COLOURS) % len(DASHES)],
        }
        for place, label in enumerate(labels)
    }


def _draw_error(axes: Axes, tables: Tables, experiment: str, timeline: Timeline) -> Numbers:
    errors = tables["history"].where(experiment=experiment, metric="error")
    if len(errors) == 0:
        raise SpecflowError(
            f"{errors.name} has no metric 'error' of {experiment}; the panel needs it"
        )
    for split, colour in SPLIT_COLOURS.items():
        draw_curve(
            axes, curve(errors.where(split=split), timeline.column, "value", ["seed"]), colour
        )
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    return errors.numbers(timeline.column)


def _draw_effective_rank(
    axes: Axes, tables: Tables, experiment: str, lines: Mapping[str, dict], timeline: Timeline
) -> None:
    layers = matrices_of(tables, experiment)
    spectra = tables["spectra"].where(experiment=experiment)
    for name, label in zip(layers.names, layers.labels, strict=True):
        rows = spectra.where(matrix=name)
        ranks = curve(rows, timeline.column, "normalized_effective_rank", ["seed"])
        draw_curve(axes, ranks, **lines[label], linewidth=1.2)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1])


def _draw_alignments(
    column: Sequence[Axes], tables: Tables, params: GrokkingFigureParams
) -> QuadMesh:
    timeline, table = Timeline.of(params), tables["alignment_diagonal"].where(pair=params.pair)
    diagonals = [
        diagonal_grid(table.where(experiment=name), timeline) for name in params.experiments
    ]
    values = np.concatenate([[0.0], *(one.values.ravel() for one in diagonals)])
    colours = ColourScale.around(ALIGNMENT_MAP, values)
    for axes, diagonal in zip(column, diagonals, strict=True):
        mesh = draw_heatmap(axes, diagonal, timeline, colours)
        label_indices(axes, len(diagonal.values))
    return mesh


def _title_columns(row: Sequence[Axes], matrix: str, pair: str) -> None:
    titles = (
        "error",
        f"singular values of\n{matrix}",
        "normalized effective rank\nof all matrices",
        "alignment: " + pair.replace(" → ", "\n→ "),
    )
    for axes, title in zip(row, titles, strict=True):
        axes.set_title(title)


def _draw_keys(row: Sequence[Axes], indices: ScalarMappable, alignment: ScalarMappable) -> None:
    for axes in row:
        axes.axis("off")
    splits = [line_key(split, colour) for split, colour in SPLIT_COLOURS.items()]
    row[0].legend(handles=splits, loc="upper center")
    for axes, mappable, label in ((row[1], indices, "rank"), (row[3], alignment, "alignment")):
        place = axes.inset_axes((0.0, 0.7, 1.0, 0.16))
        bar = axes.figure.colorbar(mappable, cax=place, orientation="horizontal", label=label)
        if mappable is indices:
            label_index_bar(bar)
