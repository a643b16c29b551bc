"""Lottery tickets against their source: what a mask keeps, and what becomes of it in training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specflow.figures import heatmaps, lines
from specflow.figures.losses import metrics_in
from specflow.figures.registry import figure
from specflow.figures.style import DASHES, KIND_LOOKS, NULL_LINE, metric_title, null_text
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_SOURCE: dict[str, Any] = {"color": "#222222", "linewidth": 2.2}
_NULL = NULL_LINE | {"linestyle": (0, (1, 1.2))}


class _Ticket(NamedTuple):
    """A ticket and its look: a colour and a mark for the kind, dashes for everything else."""

    name: str
    label: str
    line: dict[str, Any]
    mark: dict[str, Any]


@figure(
    "ticket",
    title="Lottery tickets",
    caption="Left, agreement of the source's final weights before and after masking, by layer. "
    "Right, agreement of ticket and source at the same step, and every metric on validation data "
    "beside the source's. Mean and one standard deviation over seeds.",
    claims=("tickets_keep_top",),
)
def tickets(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw masks by layer (left), and training over time (right)."""
    shown = _tickets_of(where(tables["tickets"], experiment=subject.name))
    history = subject.rows(tables, "history", split="validation")
    layers, metrics = subject.layers(tables, "matrix"), metrics_in(history)
    num_panels, columns = 1 + len(metrics), 3 if len(shown) <= 4 else 2
    height = heatmaps.height_of(layers, least=1.6 * num_panels)
    fig.set_figheight(1.2 + height + 0.2 * np.ceil((len(shown) + 2) / columns))
    places = fig.add_gridspec(num_panels, 2, width_ratios=[1, 1.3])
    _draw_masks(fig.add_subplot(places[:, 0]), tables["ticket_masks"], shown, layers)
    right = [fig.add_subplot(places[place, 1]) for place in range(num_panels)]
    agreement = subject.timed(tables, tables["ticket_spectra"])
    for ticket in shown:
        measured = lines.curve(where(agreement, ticket=ticket.name), "agreement_score")
        lines.draw_curve(right[0], measured, **ticket.line)
    right[0].axhline(layers["null"].mean(), **_NULL)
    lines.scale_fraction(right[0])
    right[0].set_ylabel("agreement score")
    right[0].set_title("ticket with source at the same step,\nmean over matrices")
    trained = subject.timed(tables, where(tables["ticket_history"], split="validation"))
    for axes, metric in zip(right[1:], metrics, strict=True):
        rows = where(trained, metric=metric)
        curves = [lines.curve(where(history, metric=metric), "value")]
        curves += [lines.curve(where(rows, ticket=ticket.name), "value") for ticket in shown]
        lines.scale_ordinate(axes, [one["mean"] for one in curves])
        for measured, line in zip(curves, [_SOURCE, *(one.line for one in shown)], strict=True):
            lines.draw_curve(axes, measured, **line)
        axes.set_title(metric_title("validation", metric))
    for axes in right:
        subject.timeline(tables).apply(axes, history["time"])
    keys = [lines.line_key(one.label, **one.line, **one.mark) for one in shown]
    null = f"unrelated matrices ({null_text(layers['null'])})"
    keys += [lines.line_key("source", **_SOURCE), lines.line_key(null, **_NULL)]
    fig.legend(handles=keys, loc="outside lower center", ncols=columns)


def _tickets_of(table: pd.DataFrame) -> list[_Ticket]:
    """Return the tickets of a source by kind, density (largest first) and rewind step."""
    settings = table[["density", "rewind_step"]].drop_duplicates()
    settings = settings.sort_values(["density", "rewind_step"], ascending=[False, True])
    one_step = table["rewind_step"].nunique() == 1
    found = []
    for kind, (colour, marker) in KIND_LOOKS.items():
        mark = {"marker": marker, "markersize": 4.5, "markerfacecolor": "none"}
        for place, (density, step) in enumerate(settings.itertuples(index=False)):
            label = f"{kind}, {100 * density:g}% of weights"
            label += "" if one_step else f", from step {step}"
            line = {"color": colour, "linestyle": DASHES[place % len(DASHES)]}
            own = where(table, kind=kind, density=density, rewind_step=step)
            found += [_Ticket(name, label, line, mark) for name in own["ticket"]]
    return found


def _draw_masks(
    axes: Axes, masks: pd.DataFrame, shown: Sequence[_Ticket], layers: pd.DataFrame
) -> None:
    """Draw the agreement of masked with unmasked weights by layer."""
    masked = layers[layers.index.isin(where(masks, ticket=shown[0].name)["matrix"])]
    rows = np.arange(len(masked)) + 0.5
    for ticket in shown:
        scores = where(masks, ticket=ticket.name).set_index("matrix")["masked_agreement_score"]
        own = lines.spread(scores).reindex(masked.index)
        axes.plot(own["mean"], rows, **ticket.line, **ticket.mark)
        low, high = own["mean"] - own["std"], own["mean"] + own["std"]
        axes.fill_betweenx(rows, low, high, color=ticket.line["color"], alpha=0.18, linewidth=0)
    axes.plot(masked["null"], rows, **_NULL)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(len(masked), 0)
    heatmaps.label_rows(axes, masked["label"])
    axes.set_xlabel("agreement score")
    axes.set_title("source's final weights\nwith and without mask")
