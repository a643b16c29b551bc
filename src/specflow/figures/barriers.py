"""Barriers between branch ends against the split point."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures.branches import UNIT, timeline_of
from specflow.figures.curves import draw_curve, joined
from specflow.figures.grouping import Curve, curve
from specflow.figures.losses import SPLITS, Variant, variant_keys, variants_of
from specflow.figures.style import new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Table, Tables

_LOG_SPREAD = 20.0


def draw_barriers(tables: Tables, connection: str, params: FiguresParams) -> Figure:
    """Draw barriers of every metric (columns) on training and validation data (rows).

    Mean and one standard deviation over trunks and pairs of branches.

    Args:
        tables: connections and barriers are read.
        connection: Which one.
        params: The figures section; time is drawn as for the connection's experiment.

    Returns:
        The figure.
    """
    table = tables["barriers"].where(connection=connection, relation="within")
    timeline = timeline_of(tables, connection, params)
    variants, metrics = variants_of(table), table.distinct("metric")
    figure = new_figure(height=1.2 + 1.9 * len(SPLITS))
    panels = figure.subplots(len(SPLITS), len(metrics), sharex=True, sharey="col", squeeze=False)
    for metric, column in zip(metrics, panels.T, strict=True):
        rows = table.where(metric=metric)
        curves = {split: _curves(rows.where(split=split), variants, timeline) for split in SPLITS}
        _scale(column[0], list(chain(*curves.values())))
        for (split, own), axes in zip(curves.items(), column, strict=True):
            for variant, measured in zip(variants, own, strict=True):
                draw_curve(axes, measured, **variant.line, marker="o")
            axes.axhline(0, color="#444444", linewidth=0.8)
            axes.set_title(f"{split} {metric}")
            label = f"{timeline.unit} of the split" if axes is column[-1] else ""
            timeline.apply(axes, joined(own), label)
    for axes in panels[:, 0]:
        axes.set_ylabel("barrier")
    figure.legend(handles=variant_keys(variants), loc="outside lower center", ncols=3)
    figure.suptitle(f"Barriers between branch ends: {connection}")
    return figure


def _curves(table: Table, variants: Sequence[Variant], timeline: Timeline) -> list[Curve]:
    own = (table.where(keep=one.keep, keep_fraction=one.keep_fraction) for one in variants)
    return [curve(rows, timeline.split_column, "barrier", UNIT) for rows in own]


def _scale(axes: Axes, curves: Sequence[Curve]) -> None:
    """Make the axis logarithmic, but for a linear part around 0, if variants differ widely."""
    sizes = [float(np.max(np.abs(one.mean), initial=0)) for one in curves]
    least = min((size for size in sizes if size > 0), default=0.0)
    if max(sizes) > _LOG_SPREAD * least > 0:
        axes.set_yscale("symlog", linthresh=least)
