"""Spectra of several problems side by side (figure 3 of the paper)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures.columns import column_titles, number_rows
from specflow.figures.grouping import grid
from specflow.figures.heatmap import ColourScale, add_colour_bar, draw_heatmap
from specflow.figures.layers import matrices_of
from specflow.figures.singular_values import draw_evolution, label_index_bar
from specflow.figures.style import EFFECTIVE_RANK_MAP, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_matrix
from specflow.tables.reading import Tables


def draw_problems_spectra(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    """Draw the chosen matrix's singular values above the effective rank of all matrices.

    Args:
        tables: matrices, singular_values and spectra are read.
        experiments: A column each.
        params: The figures section.

    Returns:
        The figure; each row has one colour scale.
    """
    figure = new_figure(height=5.4)
    panels = figure.subplots(2, len(experiments), squeeze=False)
    _draw_values(figure, panels[0], tables, experiments, params)
    _draw_ranks(figure, panels[1], tables, experiments, params)
    figure.suptitle(
        "Singular values of one matrix (mean and one standard deviation), effective rank of all"
    )
    return figure


def _draw_values(
    figure: Figure,
    row: Sequence[Axes],
    tables: Tables,
    experiments: Sequence[str],
    params: FiguresParams,
) -> None:
    layers = [matrices_of(tables, name) for name in experiments]
    chosen = [
        chosen_matrix(params, name, own.names)
        for name, own in zip(experiments, layers, strict=True)
    ]
    values = [
        tables["singular_values"].where(experiment=name, matrix=matrix)
        for name, matrix in zip(experiments, chosen, strict=True)
    ]
    last = int(max(np.max(table.numbers("index")) for table in values))
    titles = column_titles(
        [
            (name, own.label_of(matrix))
            for name, own, matrix in zip(experiments, layers, chosen, strict=True)
        ]
    )
    for axes, name, table, title in zip(row, experiments, values, titles, strict=True):
        timeline = Timeline.of(params.of(name))
        colours = draw_evolution(axes, table, timeline, last)
        axes.set_title(title)
        timeline.apply(axes, table.numbers(timeline.column), "")
    row[0].set_ylabel("singular value")
    bar = figure.colorbar(colours, ax=list(row), label="rank (1 = largest)", pad=0.015, aspect=22)
    label_index_bar(bar)
    bar.ax.invert_yaxis()


def _draw_ranks(
    figure: Figure,
    row: Sequence[Axes],
    tables: Tables,
    experiments: Sequence[str],
    params: FiguresParams,
) -> None:
    timelines = [Timeline.of(params.of(name)) for name in experiments]
    ranks = [
        grid(
            tables["spectra"].where(experiment=name),
            "matrix",
            matrices_of(tables, name).names,
            timeline.column,
            "normalized_effective_rank",
        )
        for name, timeline in zip(experiments, timelines, strict=True)
    ]
    everything = np.concatenate([one.values.ravel() for one in ranks])
    colours = ColourScale.around(EFFECTIVE_RANK_MAP, everything)
    for axes, timeline, own in zip(row, timelines, ranks, strict=True):
        mesh = draw_heatmap(axes, own, timeline, colours)
        number_rows(axes, len(own.values))
        timeline.apply(axes, own.x)
    row[0].set_ylabel("depth (number of the matrix)")
    add_colour_bar(figure, list(row), mesh, "normalized effective rank")
