"""Weight decay against effective rank, weight norm, alignment and loss."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.typing import ColorType

from specflow.figures.curves import draw_curve, draw_null_line, joined, line_key, scale_ordinate
from specflow.figures.grouping import Curve, curve, final_values
from specflow.figures.heatmap import null_text
from specflow.figures.index import BATCH_NORM
from specflow.figures.layers import pairs_of
from specflow.figures.losses import variant_rows, variants_of
from specflow.figures.style import (
    WEIGHT_DECAY_MAP,
    new_figure,
    spread_colours,
)
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.params.groups import DecaySeries
from specflow.tables.reading import Numbers, Table, Tables

_RANK, _NORM = "normalized_effective_rank", "frobenius_norm"
_NOTE_WIDTH = 50  # letters beside the legend of weight decays
_MANY = 5  # weight decays beyond which their labels are turned
_TITLES = ("normalized effective rank", "mean Frobenius norm")
_JOINT_COLOUR = "#999999"
_BASE_COLOUR = "#E8E8E8"
_SEED_OFFSET = 0.16  # dots of single seeds stand right of their mean


def draw_weight_decay(tables: Tables, series: DecaySeries, params: FiguresParams) -> Figure:
    """Draw what weight decay does to the end of training (top) and on the way there (bottom).

    Mean and one standard deviation over seeds; at the end, a dot for each seed. Weight decays are
    evenly spaced, as 0 has no place on a log axis.

    Args:
        tables: spectra, alignment, pairs, pruning and history are read.
        series: The experiments.
        params: The figures section; time is drawn as for the base.

    Returns:
        The figure.
    """
    figure = new_figure(height=6.2)
    panels = figure.subplots(2, 4)
    colours = spread_colours(WEIGHT_DECAY_MAP, len(series.ascending))
    spectra = _by_experiment(tables["spectra"], series)
    for axes, column, title in zip(panels[0], (_RANK, _NORM), _TITLES, strict=False):
        ends = [final_values(rows, column) for rows in spectra]
        _scale_to_seeds(axes, ends)
        _draw_ends(axes, ends, colours)
        axes.set_title(f"{title}\nat the end")
    _draw_alignment(panels[0, 2], tables, series, colours)
    keys = _draw_pruned(panels[0, 3], tables, series)
    for axes in panels[0]:
        _label_decays(axes, series)
    _draw_times(panels[1], tables, series, Timeline.of(params.of(series.base)), colours)
    for axes in panels[:, 0]:
        axes.set_ylim(0, 1.02)
    figure.legend(
        handles=_decay_keys(series, colours),
        title="weight decay",
        loc="outside lower left",
        ncols=4,
    )
    note = fill(BATCH_NORM, _NOTE_WIDTH) if len(keys) > 1 else ""
    figure.legend(handles=keys, title=note, loc="outside lower right")
    figure.suptitle(
        f"Weight decay, {series.base} and its variants: "
        "mean and one standard deviation over seeds (small dots)"
    )
    return figure


def _by_experiment(table: Table, series: DecaySeries, **rows: str) -> list[Table]:
    return [table.where(experiment=name, **rows) for name in series.ascending]


def _draw_ends(
    axes: Axes, ends: Sequence[Numbers], colours: Sequence[ColorType], **line: Any
) -> None:
    """Draw mean, deviation and seeds of each experiment at its place, joined by a line."""
    measured = _curve_of_ends(ends)
    joint: dict[str, Any] = {"color": _JOINT_COLOUR, "linewidth": 1.0}
    axes.plot(measured.x, measured.mean, **joint | line)
    below = measured.mean - np.maximum(measured.mean - measured.std, _floor(axes, measured))
    for place, mean, *bar in zip(measured.x, measured.mean, below, measured.std, strict=True):
        colour = colours[int(place)]
        reach = np.array(bar)[:, None]
        axes.errorbar(place, mean, yerr=reach, color=colour, marker="o", markersize=4.5)
        seeds = ends[int(place)]
        axes.plot(np.full(len(seeds), place + _SEED_OFFSET), seeds, ".", color=colour, markersize=3)


def _floor(axes: Axes, measured: Curve) -> Numbers | float:
    # as in draw_curve: mean - std may not be positive
    return measured.least if axes.get_yscale() == "log" else -np.inf


def _curve_of_ends(ends: Sequence[Numbers]) -> Curve:
    defined = [(place, seeds) for place, seeds in enumerate(ends) if len(seeds)]
    columns = [(float(place), seeds.mean(), seeds.std(), seeds.min()) for place, seeds in defined]
    return Curve(*np.array(columns, dtype=np.float64).reshape(-1, 4).T)


def _scale_to_seeds(axes: Axes, ends: Sequence[Numbers]) -> None:
    seeds = np.concatenate(ends)
    scale_ordinate(axes, [Curve(seeds, seeds, np.zeros_like(seeds), seeds)])


def _draw_alignment(
    axes: Axes, tables: Tables, series: DecaySeries, colours: Sequence[ColorType]
) -> None:
    nulls = pairs_of(tables, series.base).nulls
    rows = _by_experiment(tables["alignment"], series)
    ends = [final_values(own, "alignment_score") for own in rows]
    _draw_ends(axes, ends, colours)
    draw_null_line(axes, nulls, np.concatenate(ends))
    axes.set_title(f"alignment score at the end,\ndashed: {null_text(nulls)}")


def _draw_pruned(axes: Axes, tables: Tables, series: DecaySeries) -> list[Line2D]:
    """Draw final losses of the full model and after pruning; return the legend."""
    panel = {"split": "validation", "metric": "loss"}
    histories = _by_experiment(tables["history"], series, **panel)
    pruned = _by_experiment(tables["pruning"], series, **panel)
    variants = variants_of(*pruned)
    ends = [
        [
            final_values(variant_rows(history, own, variant), "value")
            for history, own in zip(histories, pruned, strict=True)
        ]
        for variant in variants
    ]
    _scale_to_seeds(axes, [seeds for own in ends for seeds in own])
    for variant, own in zip(variants, ends, strict=True):
        _draw_ends(axes, own, [variant.line["color"]] * len(own), **variant.line)
    axes.set_title("validation loss at the end,\nwith SVD pruning")
    return [line_key(variant.label, **variant.line) for variant in variants]


def _label_decays(axes: Axes, series: DecaySeries) -> None:
    names = series.ascending
    labels = [decay_label(series.weight_decays[name]) for name in names]
    turned: dict[str, Any] = {"rotation": 45} if len(names) > _MANY else {}
    axes.set_xticks(range(len(names)), labels, **turned)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xlabel("weight decay")
    base = names.index(series.base)
    axes.axvspan(base - 0.5, base + 0.5, color=_BASE_COLOUR, zorder=0)


def _draw_times(
    row: Sequence[Axes],
    tables: Tables,
    series: DecaySeries,
    timeline: Timeline,
    colours: Sequence[ColorType],
) -> None:
    spectra = _by_experiment(tables["spectra"], series)
    history = tables["history"].where(split="validation")
    losses = _by_experiment(history, series, metric="loss")
    errors = _by_experiment(history, series, metric="error")
    shown: list[tuple[str, str, list[Table]]] = [
        (_TITLES[0], _RANK, spectra),
        (_TITLES[1], _NORM, spectra),
        ("validation error", "value", errors),
        ("validation loss", "value", losses),
    ]
    for axes, (title, column, rows) in zip(row, shown, strict=True):
        curves = [curve(own, timeline.column, column, ["seed"]) for own in rows]
        scale_ordinate(axes, curves)
        for name, own, colour in zip(series.ascending, curves, colours, strict=True):
            draw_curve(axes, own, colour, linewidth=_width(name, series))
        axes.set_title(title)
        timeline.apply(axes, joined(curves))


def _decay_keys(series: DecaySeries, colours: Sequence[ColorType]) -> list[Artist]:
    keys: list[Artist] = [
        line_key(
            decay_label(series.weight_decays[name]),
            colour,
            linewidth=_width(name, series),
            marker="o",
            markersize=4.5,
        )
        for name, colour in zip(series.ascending, colours, strict=True)
    ]
    return [*keys, Patch(color=_BASE_COLOUR, label=f"base, {series.base}")]


def _width(name: str, series: DecaySeries) -> float:
    return 2.4 if name == series.base else 1.3


def decay_label(decay: float) -> str:
    """Return a weight decay in few letters, "0.1" or "1e-4"."""
    scientific = np.format_float_scientific(decay, trim="-", exp_digits=1)
    return min(f"{decay:g}", scientific, key=len)
