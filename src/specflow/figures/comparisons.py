"""Experiments that differ in one thing: weight decay, or whether labels are random."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.typing import ColorType, HashableList

from specflow.figures import heatmaps, lines
from specflow.figures.losses import (
    BATCH_NORM,
    pruning_legend,
    pruning_note,
    variants_of,
)
from specflow.figures.registry import figure
from specflow.figures.style import (
    LABEL_COLOURS,
    SPLITS,
    WEIGHT_DECAY_MAP,
    null_text,
    quantity_label,
    spread_colours,
)
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, where, with_full

_NORM = "frobenius_norm"
_NOTE_WIDTH = 50  # letters beside the legend of weight decays
_MANY = 5  # weight decays beyond which their labels are turned
_BASE_COLOUR = "#E8E8E8"
_SEED_OFFSET = 0.16  # dots of single seeds stand right of their mean
_JOINT: dict[str, Any] = {"color": "#999999", "linewidth": 1.0}
_MARK: dict[str, Any] = {"marker": "o", "markersize": 4.5}
_PANELS: list[HashableList[str]] = [
    ["rank", "alignment", "matrices"],
    ["train", "validation", "matrices"],
]
_NETWORK_OFFSET = 0.14  # of a row: the two networks of a pair of labels stand side by side in it
_NETWORKS = [{"color": colour} for colour in LABEL_COLOURS.values()]


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
    base = subject.member_names.index(str(subject.name))
    looks: list[dict[str, Any]] = [
        {"color": colour, "linewidth": 2.4 if place == base else 1.3}
        for place, colour in enumerate(colours)
    ]
    spectra = subject.rows_of_members(tables, "spectra")
    rank, norm = quantity_label(RANK), f"mean {quantity_label(_NORM)}"
    for axes, title, quantity in zip(upper, (rank, norm), (RANK, _NORM), strict=False):
        ends = [lines.final_values(rows, quantity) for rows in spectra]
        lines.scale_ordinate(axes, ends)
        _draw_ends(axes, ends, colours)
        axes.set_title(f"{title}\nat the end")
    nulls = subject.layers(tables, "pair")["null"]
    aligned = subject.rows_of_members(tables, "alignment")
    ends = [lines.final_values(rows, "alignment_score") for rows in aligned]
    _draw_ends(upper[2], ends, colours)
    lines.draw_null_line(upper[2], nulls, pd.concat(ends))
    upper[2].set_title(f"alignment score at the end,\ndashed: {null_text(nulls)}")
    pruned = _draw_pruned(upper[3], tables, subject)
    for axes in upper:
        _label_decays(axes, subject.values, base)
    shown = {rank: (spectra, RANK), norm: (spectra, _NORM)}
    for metric in ("error", "loss"):
        panel = {"split": "validation", "metric": metric}
        shown[f"validation {metric}"] = subject.rows_of_members(tables, "history", **panel), "value"
    for axes, (title, (rows, value)) in zip(lower, shown.items(), strict=True):
        curves = [lines.curve(own, value) for own in rows]
        lines.scale_ordinate(axes, [one["mean"] for one in curves])
        lines.draw_curves(axes, curves, looks, subject.timeline(tables))
        axes.set_title(title)
    for axes in (upper[0], lower[0]):
        axes.set_ylim(0, 1.02)
    labelled = zip(map(decay_label, subject.values), looks, strict=True)
    keys: list[Any] = [lines.line_key(label, **look, **_MARK) for label, look in labelled]
    keys.append(Patch(color=_BASE_COLOUR, label=f"base, {subject.name}"))
    fig.legend(handles=keys, title="weight decay", loc="outside lower left", ncols=4)
    fig.legend(**pruned, loc="outside lower right")


def _draw_ends(
    axes: Axes, ends: Sequence[pd.Series], colours: Sequence[ColorType], **line: Any
) -> None:
    """Draw mean, deviation and seeds of each experiment at its place, joined by a line."""
    measured = lines.spread(pd.concat(dict(enumerate(ends)))).fillna({"std": 0.0})
    axes.plot(measured.index, measured["mean"], **_JOINT | line)
    for place, mean, std, least in measured.itertuples():
        colour, seeds = colours[place], ends[place]
        # as in draw_curve: mean - std may not be positive
        below = min(std, mean - least) if axes.get_yscale() == "log" else std
        axes.errorbar(place, mean, yerr=[[below], [std]], color=colour, **_MARK)
        beside = np.full(len(seeds), place + _SEED_OFFSET)
        axes.plot(beside, seeds, ".", color=colour, markersize=3)


def _draw_pruned(axes: Axes, tables: Tables, subject: Subject) -> dict[str, Any]:
    """Draw final losses of the full model and after pruning; return the legend."""
    panel = {"split": "validation", "metric": "loss"}
    histories = subject.rows_of_members(tables, "history", **panel)
    pruning = subject.rows_of_members(tables, "pruning", **panel)
    variants = variants_of(*pruning)
    rows = [with_full(*own) for own in zip(histories, pruning, strict=True)]
    ends = [[lines.final_values(one.of(own), "value") for own in rows] for one in variants]
    lines.scale_ordinate(axes, [seeds for own in ends for seeds in own])
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


def decay_label(decay: float) -> str:
    """Return a weight decay in few letters, "0.1" or "1e-4"."""
    scientific = np.format_float_scientific(decay, trim="-", exp_digits=1)
    return min(f"{decay:g}", scientific, key=len)


@figure(
    "labels",
    title="True and random labels, mean and one standard deviation over seeds",
    caption="Effective rank, alignment of the middle pairs (all but the first and last), errors.",
    claims=("memorization_is_high_rank", "memorization_unaligned"),
)
def labels(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a curve for each of both networks."""
    layers, timeline = subject.layers(tables, "matrix"), subject.timeline(tables)
    fig.set_figheight(1.4 + 2 * heatmaps.height_of(layers, least=1.9))
    panels = fig.subplot_mosaic(_PANELS, width_ratios=[1.15, 1.15, 1.0])
    spectra = subject.rows_of_members(tables, "spectra")
    ranks = [lines.curve(rows, RANK) for rows in spectra]
    lines.draw_curves(panels["rank"], ranks, _NETWORKS, timeline)
    panels["rank"].set_title(f"{quantity_label(RANK)},\nmean over matrices")
    _draw_middle_pairs(panels["alignment"], tables, subject)
    _draw_matrices(panels["matrices"], layers, spectra)
    for split in SPLITS:
        rows = subject.rows_of_members(tables, "history", metric="error", split=split)
        curves = [lines.curve(own, "value") for own in rows]
        lines.draw_curves(panels[split], curves, _NETWORKS, timeline)
        panels[split].set_title(f"{split} error")
    for name in ("rank", *SPLITS):
        lines.scale_fraction(panels[name])
    keys = [
        lines.line_key(f"{kind} labels: {name}", colour)
        for (kind, colour), name in zip(LABEL_COLOURS.items(), subject.member_names, strict=True)
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


def _draw_middle_pairs(axes: Axes, tables: Tables, subject: Subject) -> None:
    middle = subject.layers(tables, "pair").iloc[1:-1]
    if middle.empty:
        axes.set_title("alignment score:\nthere are no middle pairs")
        axes.axis("off")
        return
    rows = subject.rows_of_members(tables, "alignment", pair=list(middle.index))
    curves = [lines.curve(own, "alignment_score") for own in rows]
    lines.draw_curves(axes, curves, _NETWORKS, subject.timeline(tables))
    lines.draw_null_line(axes, middle["null"], pd.concat([one["mean"] for one in curves]))
    text = null_text(middle["null"])
    axes.set_title(f"alignment score, mean over middle pairs\n(dashed: {text})")


def _draw_matrices(axes: Axes, layers: pd.DataFrame, spectra: Sequence[pd.DataFrame]) -> None:
    """Draw the final rank of each matrix, a row each, of both networks."""
    offsets = (-_NETWORK_OFFSET, _NETWORK_OFFSET)
    for rows, look, offset in zip(spectra, _NETWORKS, offsets, strict=True):
        for place, matrix in enumerate(layers.index):
            seeds = lines.final_values(where(rows, matrix=matrix), RANK)
            mark: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.2} | look
            error = seeds.std() if len(seeds) > 1 else 0.0
            axes.errorbar(seeds.mean(), place + 0.5 + offset, xerr=error, **mark)
    axes.set_ylim(len(layers), 0)
    axes.set_xlim(-0.03, 1.03)
    heatmaps.label_rows(axes, layers["label"])
    axes.set_title(f"{quantity_label(RANK)}\nof each matrix at the end")
