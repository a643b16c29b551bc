"""Weight decay against effective rank, weight norm, alignment and loss."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.typing import ColorType

from specflow.figures import panels
from specflow.figures.averages import curve, final_values, spread
from specflow.figures.registry import figure
from specflow.figures.spectra import RANK
from specflow.figures.style import WEIGHT_DECAY_MAP, quantity_label, spread_colours
from specflow.figures.subjects import Subject
from specflow.figures.variants import (
    BATCH_NORM,
    pruning_legend,
    pruning_note,
    variants_of,
    with_full,
)
from specflow.frames import Tables

_NORM = "frobenius_norm"
_NOTE_WIDTH = 50  # letters beside the legend of weight decays
_MANY = 5  # weight decays beyond which their labels are turned
_BASE_COLOUR = "#E8E8E8"
_SEED_OFFSET = 0.16  # dots of single seeds stand right of their mean
_JOINT: dict[str, Any] = {"color": "#999999", "linewidth": 1.0}
_MARK: dict[str, Any] = {"marker": "o", "markersize": 4.5}


@figure(
    "weight_decay",
    title="Weight decay, mean and one standard deviation over seeds (small dots)",
    caption="At the end of training (top) and on the way there (bottom); weight decays are evenly "
    f"spaced. {BATCH_NORM}.",
    claims=("decay_lowers_rank",),
)
def weight_decay(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw weight decays evenly spaced, as 0 has no place on a log axis."""
    fig.set_figheight(6.2)
    upper, lower = fig.subplots(2, 4)
    colours = spread_colours(WEIGHT_DECAY_MAP, len(subject.members))
    is_base = [member.name == subject.name for member in subject.members]
    looks: list[dict[str, Any]] = [
        {"color": colour, "linewidth": 2.4 if base else 1.3}
        for colour, base in zip(colours, is_base, strict=True)
    ]
    spectra = subject.rows_of_members(tables, "spectra")
    rank, norm = quantity_label(RANK), f"mean {quantity_label(_NORM)}"
    for axes, title, quantity in zip(upper, (rank, norm), (RANK, _NORM), strict=False):
        ends = [final_values(rows, quantity) for rows in spectra]
        panels.scale_ordinate(axes, ends)
        _draw_ends(axes, ends, colours)
        axes.set_title(f"{title}\nat the end")
    _draw_alignment(upper[2], tables, subject, colours)
    pruned = _draw_pruned(upper[3], tables, subject)
    for axes in upper:
        _label_decays(axes, subject.values, is_base.index(True))
    shown = {rank: (spectra, RANK), norm: (spectra, _NORM)}
    for metric in ("error", "loss"):
        panel = {"split": "validation", "metric": metric}
        shown[f"validation {metric}"] = subject.rows_of_members(tables, "history", **panel), "value"
    for axes, (title, (rows, value)) in zip(lower, shown.items(), strict=True):
        curves = [curve(own, value) for own in rows]
        panels.scale_ordinate(axes, [one["mean"] for one in curves])
        panels.draw_curves(axes, curves, looks, subject.timeline(tables))
        axes.set_title(title)
    for axes in (upper[0], lower[0]):
        axes.set_ylim(0, 1.02)
    keys = _decay_keys(subject, looks)
    fig.legend(handles=keys, title="weight decay", loc="outside lower left", ncols=4)
    fig.legend(**pruned, loc="outside lower right")


def _draw_ends(
    axes: Axes, ends: Sequence[pd.Series], colours: Sequence[ColorType], **line: Any
) -> None:
    """Draw mean, deviation and seeds of each experiment at its place, joined by a line."""
    measured = spread(pd.concat(dict(enumerate(ends))).groupby(level=0)).fillna({"std": 0.0})
    axes.plot(measured.index, measured["mean"], **_JOINT | line)
    for place, mean, std, least in measured.itertuples():
        colour, seeds = colours[place], ends[place]
        # as in draw_curve: mean - std may not be positive
        below = min(std, mean - least) if axes.get_yscale() == "log" else std
        axes.errorbar(place, mean, yerr=[[below], [std]], color=colour, **_MARK)
        beside = np.full(len(seeds), place + _SEED_OFFSET)
        axes.plot(beside, seeds, ".", color=colour, markersize=3)


def _draw_alignment(
    axes: Axes, tables: Tables, subject: Subject, colours: Sequence[ColorType]
) -> None:
    nulls = subject.layers(tables, "pair")["null"]
    rows = subject.rows_of_members(tables, "alignment")
    ends = [final_values(own, "alignment_score") for own in rows]
    _draw_ends(axes, ends, colours)
    panels.draw_null_line(axes, nulls, pd.concat(ends))
    axes.set_title(f"alignment score at the end,\ndashed: {panels.null_text(nulls)}")


def _draw_pruned(axes: Axes, tables: Tables, subject: Subject) -> dict[str, Any]:
    """Draw final losses of the full model and after pruning; return the legend."""
    panel = {"split": "validation", "metric": "loss"}
    tables_of = (subject.rows_of_members(tables, name, **panel) for name in ("history", "pruning"))
    rows = [with_full(*own) for own in zip(*tables_of, strict=True)]
    variants = variants_of(*rows)
    ends = [[final_values(one.of(own), "value") for own in rows] for one in variants]
    panels.scale_ordinate(axes, [seeds for own in ends for seeds in own])
    for variant, own in zip(variants, ends, strict=True):
        _draw_ends(axes, own, [variant.line["color"]] * len(own), **variant.line)
    axes.set_title("validation loss at the end,\nwith SVD pruning")
    note = fill(pruning_note(variants), _NOTE_WIDTH)
    return pruning_legend(variants) | {"title": note, "ncols": 1}


def _label_decays(axes: Axes, decays: Sequence[float], base: int) -> None:
    turned: dict[str, Any] = {"rotation": 45} if len(decays) > _MANY else {}
    axes.set_xticks(range(len(decays)), [decay_label(decay) for decay in decays], **turned)
    axes.set_xlim(-0.5, len(decays) - 0.5)
    axes.set_xlabel("weight decay")
    axes.axvspan(base - 0.5, base + 0.5, color=_BASE_COLOUR, zorder=0)


def _decay_keys(subject: Subject, looks: Sequence[dict[str, Any]]) -> list[Any]:
    labelled = zip(map(decay_label, subject.values), looks, strict=True)
    lines = [panels.line_key(label, **look, **_MARK) for label, look in labelled]
    return [*lines, Patch(color=_BASE_COLOUR, label=f"base, {subject.name}")]


def decay_label(decay: float) -> str:
    """Return a weight decay in few letters, "0.1" or "1e-4"."""
    scientific = np.format_float_scientific(decay, trim="-", exp_digits=1)
    return min(f"{decay:g}", scientific, key=len)
