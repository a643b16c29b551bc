"""Error curves of all runs, a small panel an experiment."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from specflow.figures.columns import column_titles
from specflow.figures.curves import draw_curve, joined, line_key
from specflow.figures.grouping import curve
from specflow.figures.style import SPLIT_COLOURS, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

_COLUMNS = 5
_HIGHEST = 1.03


def draw_errors(tables: Tables, experiments: Sequence[str], params: FiguresParams) -> Figure:
    """Draw training and validation error; mean and one standard deviation over seeds.

    Args:
        tables: history is read.
        experiments: A panel each; all have the same vertical axis, from 0 to 1.
        params: The figures section.

    Returns:
        The figure.
    """
    num_columns = min(_COLUMNS, len(experiments))
    num_rows = math.ceil(len(experiments) / num_columns)
    figure = new_figure(height=1.0 + 1.7 * num_rows)
    panels = figure.subplots(num_rows, num_columns, sharey=True, squeeze=False)
    highest = 0.0
    for axes, name in zip(panels.flat, experiments, strict=False):
        errors = tables["history"].where(experiment=name, metric="error")
        timeline = Timeline.of(params.of(name))
        curves = {
            split: curve(errors.where(split=split), timeline.column, "value", ["seed"])
            for split in SPLIT_COLOURS
        }
        for split, own in curves.items():
            draw_curve(axes, own, SPLIT_COLOURS[split])
            highest = max(highest, np.max(own.mean, initial=0))
        timeline.apply(axes, joined(curves.values()))
    _label(panels, experiments)
    keys = [line_key(split, colour) for split, colour in SPLIT_COLOURS.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    note = "; above 1 off the axis" if highest > _HIGHEST else ""
    figure.suptitle(f"Errors: mean and one standard deviation over seeds{note}")
    return figure


def _label(panels: np.ndarray, experiments: Sequence[str]) -> None:
    for axes in panels.flat[len(experiments) :]:
        axes.axis("off")
    for place in range(0, len(experiments), panels.shape[1]):
        row = experiments[place : place + panels.shape[1]]
        blanks = [""] * (panels.shape[1] - len(row))
        titles = column_titles([(name,) for name in (*row, *blanks)])
        for axes, title in zip(panels.flat[place:], titles, strict=False):
            axes.set_title(title)
        panels.flat[place].set_ylabel("error")
    panels[0, 0].set_ylim(-0.03, _HIGHEST)
    panels[0, 0].set_yticks([0, 0.5, 1])
