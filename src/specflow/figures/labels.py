"""True against random labels: ranks, alignment and errors of two networks."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import HashableList

from specflow.figures.curves import draw_curve, draw_null_line, joined, line_key
from specflow.figures.grouping import Curve, curve, final_values
from specflow.figures.heatmap import ROW_HEIGHT, label_rows, null_text
from specflow.figures.layers import matrices_of, pairs_of
from specflow.figures.style import LABEL_COLOURS, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.params.groups import LabelPair
from specflow.tables.reading import Table, Tables

_RANK = "normalized_effective_rank"
_PANELS: list[HashableList[str]] = [
    ["rank", "alignment", "matrices"],
    ["train", "validation", "matrices"],
]
_OFFSET = 0.14  # of a row: the two networks stand side by side in it


def draw_labels(tables: Tables, pair: LabelPair, params: FiguresParams) -> Figure:
    """Draw effective rank, alignment of the middle pairs, and errors of both networks.

    Mean and one standard deviation over seeds. The middle pairs are all but the first and the last.

    Args:
        tables: matrices, pairs, spectra, alignment and history are read.
        pair: The two experiments.
        params: The figures section; time is drawn as for true labels.

    Returns:
        The figure.
    """
    experiments = {"true": pair.true_labels, "random": pair.random_labels}
    timeline = Timeline.of(params.of(pair.true_labels))
    num_matrices = len(matrices_of(tables, pair.true_labels).names)
    figure = new_figure(height=max(5.2, 1.4 + 2 * ROW_HEIGHT * num_matrices))
    panels = figure.subplot_mosaic(_PANELS, width_ratios=[1.15, 1.15, 1.0])
    spectra = {kind: tables["spectra"].where(experiment=own) for kind, own in experiments.items()}
    ranks = {kind: _curve(rows, timeline, _RANK) for kind, rows in spectra.items()}
    _draw_curves(panels["rank"], ranks, timeline, "")
    panels["rank"].set_title("normalized effective rank,\nmean over matrices")
    _draw_middle(panels["alignment"], tables, experiments, timeline)
    _draw_matrices(panels["matrices"], tables, spectra, pair.true_labels)
    for split in ("train", "validation"):
        errors = {
            kind: tables["history"].where(experiment=own, metric="error", split=split)
            for kind, own in experiments.items()
        }
        curves = {kind: _curve(rows, timeline, "value") for kind, rows in errors.items()}
        _draw_curves(panels[split], curves, timeline)
        panels[split].set_title(f"{split} error")
    for name in ("rank", "train", "validation"):
        panels[name].set_ylim(-0.03, 1.03)
        panels[name].set_yticks([0, 0.5, 1])
    keys = [
        line_key(f"{kind} labels: {own}", LABEL_COLOURS[kind]) for kind, own in experiments.items()
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    figure.suptitle("True and random labels: mean and one standard deviation over seeds")
    return figure


def _curve(table: Table, timeline: Timeline, value: str) -> Curve:
    return curve(table, timeline.column, value, ["seed"])


def _draw_curves(
    axes: Axes, curves: Mapping[str, Curve], timeline: Timeline, label: str | None = None
) -> None:
    for kind, own in curves.items():
        draw_curve(axes, own, LABEL_COLOURS[kind])
    timeline.apply(axes, joined(curves.values()), label)


def _draw_middle(
    axes: Axes, tables: Tables, experiments: Mapping[str, str], timeline: Timeline
) -> None:
    layers = pairs_of(tables, experiments["true"])
    middle, nulls = layers.names[1:-1], layers.nulls[1:-1]
    if not middle:
        axes.set_title("alignment score:\nthere are no middle pairs")
        axes.axis("off")
        return
    tables_by_kind = {
        kind: tables["alignment"].where(experiment=own).among("pair", middle)
        for kind, own in experiments.items()
    }
    curves = {
        kind: _curve(rows, timeline, "alignment_score") for kind, rows in tables_by_kind.items()
    }
    _draw_curves(axes, curves, timeline, "")
    draw_null_line(axes, nulls, np.concatenate([own.mean for own in curves.values()]))
    axes.set_title(f"alignment score, mean over middle pairs\n(dashed: {null_text(nulls)})")


def _draw_matrices(
    axes: Axes, tables: Tables, spectra: Mapping[str, Table], experiment: str
) -> None:
    layers = matrices_of(tables, experiment)
    for (kind, rows), offset in zip(spectra.items(), (-_OFFSET, _OFFSET), strict=True):
        for place, matrix in enumerate(layers.names):
            values = final_values(rows.where(matrix=matrix), _RANK)
            if len(values):
                axes.errorbar(
                    values.mean(),
                    place + 0.5 + offset,
                    xerr=values.std(),
                    color=LABEL_COLOURS[kind],
                    marker="o",
                    markersize=4,
                    linewidth=1.2,
                )
    axes.set_ylim(len(layers.names), 0)
    axes.set_xlim(-0.03, 1.03)
    label_rows(axes, layers.labels)
    axes.set_title("normalized effective rank\nof each matrix at the end")
