"""Lottery tickets against their source: what masks keep, and what becomes of it in training."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from specflow.figures import heatmaps, lines
from specflow.figures.registry import figure
from specflow.figures.style import (
    KIND_LOOKS,
    NULL_LINE,
    SOURCE_LINE,
    quantity_label,
)
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, where

_NULL = NULL_LINE | {"linestyle": (0, (1, 1.2))}
_ROW_HEIGHT = 1.25  # inches of a row of curves over time
_ASIDE = 0.03  # factor by which kinds of one density stand beside each other
_BARE: dict[str, Any] = {"marker": ""}  # curves over time have no marks
_SAME_MASK = "Magnitude and reinitialized tickets have one mask: dashes over the line."


class Setting(NamedTuple):
    """The tickets of one density and one rewind step: a column of panels."""

    density: float
    label: str
    tickets: Mapping[str, str]  # by kind


class _Panel(NamedTuple):
    """What is drawn over time, a row of panels."""

    label: str
    rows: pd.DataFrame  # of all tickets
    column: str
    source: pd.DataFrame | None = None  # the same of the source
    null: float | None = None


def settings_of(tables: Tables, subject: Subject) -> list[Setting]:
    """Return the tickets of a source by density, ascending, and rewind step."""
    table = where(tables["tickets"], experiment=subject.name)
    one_step, found = table["rewind_step"].nunique() == 1, []
    for (density, step), own in table.groupby(["density", "rewind_step"]):
        label = f"{100 * density:g}% of weights kept"
        label += "" if one_step else f",\nfrom step {step}"
        names = dict(zip(own["kind"], own["ticket"], strict=True))
        tickets = {kind: names[kind] for kind in KIND_LOOKS if kind in names}
        found.append(Setting(density, label, tickets))
    return found


def kinds_of(settings: Sequence[Setting]) -> list[str]:
    """Return the kinds of tickets that there are."""
    return [kind for kind in KIND_LOOKS if any(kind in one.tickets for one in settings)]


def error_of(tables: Tables, subject: Subject) -> tuple[dict[str, str], str]:
    """Return which rows have the error on validation data (the loss, if there is none), its name.

    The rows are given as columns and their values.
    """
    called = subject.metrics(tables)
    metric = "error" if "error" in called else "loss"
    return {"split": "validation", "metric": metric}, f"validation {called[metric]}"


def panels_of(
    grid: np.ndarray, settings: Sequence[Setting], kinds: Sequence[str]
) -> Iterator[tuple[Axes, str]]:
    """Yield each panel of kinds (rows) by settings (columns) that has a ticket, and its name."""
    for axes, setting in zip(grid[0], settings, strict=True):
        axes.set_title(setting.label)
    for kind, row in zip(kinds, grid, strict=True):
        row[0].set_ylabel(kind)
        for axes, setting in zip(row, settings, strict=True):
            if kind in setting.tickets:
                yield axes, setting.tickets[kind]
            else:
                axes.axis("off")


@figure(
    "ticket",
    title="What masks of lottery tickets keep, and how their training ends",
    caption="Top, agreement of the source's final weights before and after masking, by layer: near "
    "1, a mask keeps the top directions. Bottom, its mean over layers, and the final error on "
    "validation data, against the share of weights kept; kinds stand beside each other. "
    f"{_SAME_MASK} Mean and one standard deviation over seeds.",
    claims=("tickets_keep_top",),
    order=1,
)
def tickets(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw masks by layer, a panel a density (top), and ends against density (bottom)."""
    settings, layers = settings_of(tables, subject), subject.layers(tables, "matrix")
    masked = layers[layers.index.isin(tables["ticket_masks"]["matrix"])]
    height, count = heatmaps.height_of(masked, least=2.0), len(settings)
    fig.set_figheight(height + 4.2)
    places = fig.add_gridspec(2, 2 * count, height_ratios=[height, 2.3])
    top: list[Axes] = []
    for column, setting in enumerate(settings):
        shared = {"sharey": top[0]} if top else {}
        axes = fig.add_subplot(places[0, 2 * column : 2 * column + 2], **shared)
        _draw_masks(axes, tables["ticket_masks"], setting, masked)
        axes.tick_params(labelleft=not top)
        top.append(axes)
    kept, ends = (fig.add_subplot(places[1, half]) for half in (slice(count), slice(count, None)))
    _draw_over_density(kept, settings, tables["ticket_masks"], "masked_agreement_score")
    kept.axhline(masked["null"].mean(), **_NULL)
    lines.scale_fraction(kept)
    kept.set_title("agreement with and without mask,\nmean over layers")
    error, label = error_of(tables, subject)
    trained = where(tables["ticket_history"], **error)
    source = lines.final_values(subject.rows(tables, "history", **error), "value")
    drawn = _draw_over_density(ends, settings, trained, "value")
    lines.scale_ordinate(ends, [source, *drawn])
    ends.axhline(source.mean(), **SOURCE_LINE)
    ends.set_title(f"{label}\nat the end of training")
    for axes in (kept, ends):
        _label_densities(axes, settings)
    _legend(fig, settings)


def _draw_masks(axes: Axes, masks: pd.DataFrame, setting: Setting, layers: pd.DataFrame) -> None:
    """Draw the agreement of masked with unmasked weights, a layer a row."""
    rows = np.arange(len(layers)) + 0.5
    for kind, ticket in setting.tickets.items():
        scores = where(masks, ticket=ticket).set_index("matrix")["masked_agreement_score"]
        own, look = lines.spread(scores).reindex(layers.index), KIND_LOOKS[kind]
        axes.plot(own["mean"], rows, **look)
        low, high = own["mean"] - own["std"], own["mean"] + own["std"]
        axes.fill_betweenx(rows, low, high, color=look["color"], alpha=0.18, linewidth=0)
    axes.plot(layers["null"], rows, **_NULL)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(len(layers), 0)
    heatmaps.label_rows(axes, layers["label"])
    axes.set_xlabel("agreement score")
    axes.set_title(setting.label)


def _draw_over_density(
    axes: Axes, settings: Sequence[Setting], rows: pd.DataFrame, column: str
) -> list[pd.Series]:
    """Draw final values of each kind against density; return the ends of their bars."""
    drawn = []
    for place, kind in enumerate(kinds_of(settings)):
        own = {one.density: one.tickets[kind] for one in settings if kind in one.tickets}
        ends = {
            density: _final(where(rows, ticket=ticket), column) for density, ticket in own.items()
        }
        measured, look = lines.spread(pd.concat(ends)).fillna({"std": 0.0}), KIND_LOOKS[kind]
        beside = measured.index * (1 + _ASIDE * (place - 1))
        axes.errorbar(beside, measured["mean"], yerr=measured["std"], **look)
        drawn += [measured["mean"] - measured["std"], measured["mean"] + measured["std"]]
    return drawn


def _final(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return the last value of each seed, mean over what it has several of."""
    if "step" in rows:
        return lines.final_values(rows, column)
    return rows.groupby("seed")[column].mean()


def _label_densities(axes: Axes, settings: Sequence[Setting]) -> None:
    densities = sorted({one.density for one in settings})
    axes.set_xscale("log")
    axes.set_xticks(densities, [f"{100 * density:g}%" for density in densities])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(densities[0] / 1.5, densities[-1] * 1.5)
    axes.set_xlabel("share of weights kept")


def _legend(fig: Figure, settings: Sequence[Setting], **changes: Any) -> None:
    keys = [lines.line_key(kind, **KIND_LOOKS[kind] | changes) for kind in kinds_of(settings)]
    keys.append(lines.line_key("source, all weights", **SOURCE_LINE))
    keys.append(lines.line_key("unrelated matrices", **_NULL))
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))


@figure(
    "ticket",
    title="Lottery tickets in training",
    caption="A column for each share of weights kept. Every metric on validation data; agreement "
    "with the source's weights at the same step; agreement with the final weights, the ticket's "
    "and the source's own; alignment of neighbouring layers; effective rank. Scores and ranks are "
    "means over matrices or pairs; bands are one standard deviation over seeds.",
    claims=("tickets_keep_top",),
    order=2,
)
def ticket_training(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each thing that is measured over time."""
    settings, panels = settings_of(tables, subject), _panels(tables, subject)
    fig.set_figheight(1.0 + _ROW_HEIGHT * len(panels))
    shared: dict[str, Any] = {"sharex": True, "sharey": "row", "squeeze": False}
    grid = fig.subplots(len(panels), len(settings), **shared)
    times = subject.rows(tables, "history")["time"]
    for panel, row in zip(panels, grid, strict=True):
        drawn = [] if panel.source is None else [lines.curve(panel.source, panel.column)]
        curves = [_curves(panel, setting) for setting in settings]
        if panel.column == "value":
            lines.scale_ordinate(row[0], map(lines.extent, [*drawn, *chain(*curves)]))
        for axes, setting, own in zip(row, settings, curves, strict=True):
            for curve in drawn:
                lines.draw_curve(axes, curve, **SOURCE_LINE)
            for kind, curve in zip(setting.tickets, own, strict=True):
                lines.draw_curve(axes, curve, **KIND_LOOKS[kind] | _BARE)
            if panel.null is not None:
                axes.axhline(panel.null, **_NULL)
            subject.timeline(tables).apply(axes, times)
        if panel.null is not None:
            row[0].set_ylim(bottom=0)
        row[0].set_ylabel(panel.label)
    for axes, setting in zip(grid[0], settings, strict=True):
        axes.set_title(setting.label)
    fig.align_ylabels(grid[:, 0])
    _legend(fig, settings, **_BARE)


def _curves(panel: _Panel, setting: Setting) -> list[pd.DataFrame]:
    names = setting.tickets.values()
    return [lines.curve(where(panel.rows, ticket=name), panel.column) for name in names]


def _panels(tables: Tables, subject: Subject) -> list[_Panel]:
    matrices, pairs = (subject.layers(tables, key)["null"].mean() for key in ("matrix", "pair"))
    history = subject.rows(tables, "history", split="validation")
    trained = subject.timed(tables, where(tables["ticket_history"], split="validation"))
    spectra = subject.timed(tables, tables["ticket_spectra"])
    score = "agreement_score"
    ends = spectra.assign(agreement_score=spectra["own_agreement_score"])
    own = subject.rows(tables, "spectra")
    aligned = subject.timed(tables, tables["ticket_alignment"])
    panels = [
        _Panel(
            f"validation\n{label}",
            where(trained, metric=metric),
            "value",
            where(history, metric=metric),
        )
        for metric, label in subject.metrics(tables).items()
    ]
    panels += [
        _Panel("agreement\nwith source", spectra, score, null=matrices),
        _Panel("agreement\nwith own end", ends, score, own, matrices),
    ]
    if len(aligned):
        of_source, label = subject.rows(tables, "alignment"), "alignment of\nneighbours"
        panels.append(_Panel(label, aligned, "alignment_score", of_source, pairs))
    rank = quantity_label(RANK).replace(" ", "\n", 1)
    return [*panels, _Panel(rank, spectra, RANK, own)]
