"""Lottery tickets against their source: what a mask keeps, and what becomes of it in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures.curves import draw_curve, line_key, scale_ordinate
from specflow.figures.grouping import curve
from specflow.figures.heatmap import ROW_HEIGHT, label_rows, null_text
from specflow.figures.layers import Layers, matrices_of
from specflow.figures.style import DASHES, KIND_LOOKS, NULL_COLOUR, new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Table, Tables

_PANEL_HEIGHT = 1.6  # inches
_SOURCE: dict[str, Any] = {"color": "#222222", "linewidth": 2.2}
_NULL: dict[str, Any] = {"color": NULL_COLOUR, "linestyle": (0, (1, 1.2)), "linewidth": 1.2}


@dataclass(frozen=True)
class _Ticket:
    """A ticket and its look: a colour and a mark for the kind, dashes for everything else."""

    name: str
    label: str
    line: dict
    marker: str


def draw_tickets(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw the tickets of one source: masks by layer (left), and training over time (right).

    Left, the agreement of the source's final weights before and after masking. Right, the
    agreement of ticket and source at the same step, mean over matrices, and every metric on
    validation data beside the source's. Mean and one standard deviation over seeds.

    Args:
        tables: tickets, ticket_masks, ticket_spectra, ticket_history, matrices and history are
            read.
        experiment: The source.
        params: The figures section; time is drawn as for the source.

    Returns:
        The figure.
    """
    tickets = _tickets_of(tables["tickets"].where(experiment=experiment))
    timeline = Timeline.of(params.of(experiment))
    history = tables["history"].where(experiment=experiment, split="validation")
    metrics, layers = history.distinct("metric"), matrices_of(tables, experiment)
    num_panels = 1 + len(metrics)
    columns = 3 if len(tickets) <= 4 else 2
    key_height = 0.2 * np.ceil((len(tickets) + 2) / columns)
    height = max(_PANEL_HEIGHT * num_panels, ROW_HEIGHT * len(layers.names))
    figure = new_figure(1.2 + height + key_height)
    places = figure.add_gridspec(num_panels, 2, width_ratios=[1, 1.3])
    _draw_masks(figure.add_subplot(places[:, 0]), tables["ticket_masks"], tickets, layers)
    panels = [figure.add_subplot(places[place, 1]) for place in range(num_panels)]
    _draw_agreement(panels[0], tables["ticket_spectra"], tickets, timeline, layers)
    for axes, metric in zip(panels[1:], metrics, strict=True):
        rows = tables["ticket_history"].where(split="validation", metric=metric)
        _draw_metric(axes, history.where(metric=metric), rows, tickets, timeline)
        axes.set_title(f"validation {metric}")
    for axes in panels:
        timeline.apply(axes, history.numbers(timeline.column), None if axes is panels[-1] else "")
    figure.legend(handles=_keys(tickets, layers), loc="outside lower center", ncols=columns)
    figure.suptitle(f"Lottery tickets: {experiment}")
    return figure


def _tickets_of(table: Table) -> list[_Ticket]:
    """Return the tickets of a source by kind, density (largest first) and rewind step."""
    kinds, names = table.column("kind").tolist(), table.column("ticket").tolist()
    densities, steps = table.numbers("density").tolist(), table.numbers("rewind_step").tolist()
    settings = sorted(set(zip(densities, steps, strict=True)), key=lambda one: (-one[0], one[1]))
    order = list(KIND_LOOKS)
    places = [settings.index(one) for one in zip(densities, steps, strict=True)]
    tickets = []
    for kind, place, name in sorted(
        zip(kinds, places, names, strict=True), key=lambda one: (order.index(one[0]), one[1])
    ):
        (density, step), (color, marker) = settings[place], KIND_LOOKS[kind]
        label = f"{kind}, {100 * density:g}% of weights"
        if len(set(steps)) > 1:
            label += f", from step {step:.0f}"
        line = {"color": color, "linestyle": DASHES[place % len(DASHES)]}
        tickets.append(_Ticket(name, label, line, marker))
    return tickets


def _draw_masks(axes: Axes, masks: Table, tickets: Sequence[_Ticket], layers: Layers) -> None:
    masked = set(masks.where(ticket=tickets[0].name).distinct("matrix"))
    shown = [place for place, name in enumerate(layers.names) if name in masked]
    rows = np.arange(len(shown)) + 0.5
    for ticket in tickets:
        own = masks.where(ticket=ticket.name)
        scores = [
            own.where(matrix=layers.names[place]).numbers("masked_agreement_score")
            for place in shown
        ]
        mean, std = np.mean(scores, axis=1), np.std(scores, axis=1)
        axes.plot(mean, rows, **ticket.line, **_mark(ticket))
        axes.fill_betweenx(
            rows, mean - std, mean + std, color=ticket.line["color"], alpha=0.18, linewidth=0
        )
    axes.plot(layers.nulls[shown], rows, **_NULL)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(len(shown), 0)
    label_rows(axes, [layers.labels[place] for place in shown])
    axes.set_xlabel("agreement score")
    axes.set_title("source's final weights\nwith and without mask")


def _draw_agreement(
    axes: Axes, spectra: Table, tickets: Sequence[_Ticket], timeline: Timeline, layers: Layers
) -> None:
    for ticket in tickets:
        rows = spectra.where(ticket=ticket.name)
        draw_curve(axes, curve(rows, timeline.column, "agreement_score", ["seed"]), **ticket.line)
    axes.axhline(float(np.mean(layers.nulls)), **_NULL)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("agreement score")
    axes.set_title("ticket with source at the same step,\nmean over matrices")


def _draw_metric(
    axes: Axes, source: Table, history: Table, tickets: Sequence[_Ticket], timeline: Timeline
) -> None:
    own = curve(source, timeline.column, "value", ["seed"])
    curves = [
        curve(history.where(ticket=ticket.name), timeline.column, "value", ["seed"])
        for ticket in tickets
    ]
    scale_ordinate(axes, [own, *curves])
    draw_curve(axes, own, **_SOURCE)
    for ticket, measured in zip(tickets, curves, strict=True):
        draw_curve(axes, measured, **ticket.line)


def _mark(ticket: _Ticket) -> dict:
    return {"marker": ticket.marker, "markersize": 4.5, "markerfacecolor": "none"}


def _keys(tickets: Sequence[_Ticket], layers: Layers) -> list[Line2D]:
    keys = [line_key(ticket.label, **ticket.line, **_mark(ticket)) for ticket in tickets]
    keys.append(line_key("source", **_SOURCE))
    return [*keys, line_key(f"unrelated matrices ({null_text(layers.nulls)})", **_NULL)]
