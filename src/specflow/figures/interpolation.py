"""Curves of loss and error along the line between branch ends, a colour for each split point."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from specflow.figures.baselines import baseline_keys, baselines, draw_baselines
from specflow.figures.branches import UNIT, experiment_of, timeline_of
from specflow.figures.curves import draw_curve, line_key, scale_ordinate
from specflow.figures.grouping import Curve, curve
from specflow.figures.losses import Variant, nearest_to_half, variants_of
from specflow.figures.style import SPLIT_POINT_MAP, new_figure, spread_colours
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Table, Tables


def draw_interpolation(tables: Tables, connection: str, params: FiguresParams) -> Figure:
    """Draw every metric (rows) of the full, keep-top and keep-bottom model (columns).

    Validation data; mean and one standard deviation over trunks and pairs of branches. Of several
    keep fractions the one nearest to one half is shown. The baseline of a metric is a line in its
    panels.

    Args:
        tables: connections, interpolation and history are read.
        connection: Which one.
        params: The figures section; split points are counted as the connection's experiment is.

    Returns:
        The figure.
    """
    own = tables["interpolation"].where(connection=connection, relation="within")
    table = own.where(split="validation")
    timeline = timeline_of(tables, connection, params)
    history = tables["history"].where(experiment=experiment_of(tables, connection))
    shown, metrics = nearest_to_half(variants_of(table)), table.distinct("metric")
    levels = {metric: baselines(history, metric, "validation") for metric in metrics}
    splits = np.unique(table.numbers(timeline.split_column)).tolist()
    colours = dict(zip(splits, spread_colours(SPLIT_POINT_MAP, len(splits)), strict=True))
    figure = new_figure(height=1.3 + 1.9 * len(metrics))
    panels = figure.subplots(len(metrics), len(shown), sharex=True, sharey="row", squeeze=False)
    for row, metric in zip(panels, metrics, strict=True):
        rows = table.where(metric=metric)
        _draw_metric(row, rows, shown, timeline.split_column, colours, levels[metric])
        row[0].set_ylabel(f"validation {metric}")
    for variant, top, bottom in zip(shown, panels[0], panels[-1], strict=True):
        top.set_title(variant.label)
        bottom.set_xlabel("alpha")
    keys = [line_key(f"{split:g}", colour) for split, colour in colours.items()]
    keys += baseline_keys(levels.values())
    title = f"{timeline.unit} of the split"
    figure.legend(handles=keys, title=title, loc="outside lower center", ncols=8)
    figure.suptitle(f"On the line between branch ends: {connection}")
    return figure


def _draw_metric(
    row: Sequence[Axes],
    table: Table,
    variants: Sequence[Variant],
    split_column: str,
    colours: dict[float, ColorType],
    levels: Sequence[Curve],
) -> None:
    curves = {}
    for axes, variant in zip(row, variants, strict=True):
        rows = table.where(keep=variant.keep, keep_fraction=variant.keep_fraction)
        for split in colours:
            own = rows.where(**{split_column: split})
            curves[axes, split] = curve(own, "alpha", "value", UNIT)
    scale_ordinate(row[0], [*curves.values(), *levels])
    for axes in row:
        draw_baselines(axes, levels)
    for (axes, split), measured in curves.items():
        draw_curve(axes, measured, colours[split])
        axes.set_xlim(0, 1)
