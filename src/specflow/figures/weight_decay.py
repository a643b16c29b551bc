"""Experiments that differ in weight decay alone: what it does to rank, beyond the norm."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from matplotlib.typing import ColorType

from specflow.figures import lines
from specflow.figures.losses import pruning_note, variants_of
from specflow.figures.registry import figure
from specflow.figures.section import decay_label
from specflow.figures.style import (
    NULL_LINE,
    WEIGHT_DECAY_MAP,
    null_text,
    quantity_label,
    spread_colours,
)
from specflow.figures.subjects import Subject
from specflow.figures.timeline import round_numbers
from specflow.frames import RANK, Tables, at_end, with_full

_NORM = "frobenius_norm"
_NOTE_WIDTH = 70  # letters beside the legend of weight decays
_TITLE_WIDTH = 25
_MANY = 5  # weight decays beyond which their labels are turned
_BASE_COLOUR = "#E8E8E8"
_BASE_KEY = Patch(color=_BASE_COLOUR, label="used in all other figures")
_SEED_OFFSET = 0.16  # dots of single seeds stand right of their mean
_JOINT: dict[str, Any] = {"color": "#999999", "linewidth": 1.0}
_LEAST_SHARE = 1e-3  # of a norm that is drawn: matrices may shrink to nothing
_MARK: dict[str, Any] = {"marker": "o", "markersize": 4.5}


@figure(
    "weight_decay",
    title="Weight decay",
    caption="At the end of training (top) and on the way there (bottom); weight decays are evenly "
    "spaced. See up to which one rank falls while validation loss does not rise. Mean and one "
    "standard deviation over seeds, which are small dots. Rank and norm are means over matrices.",
    claims=("decay_lowers_rank",),
)
def weight_decay(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw weight decays evenly spaced, as 0 has no place on a log axis."""
    fig.set_figheight(6.4)
    upper, lower = fig.subplots(2, 4)
    looks = _looks(subject)
    colours = [look["color"] for look in looks]
    spectra = subject.rows_of_members(tables, "spectra")
    rank, norm = quantity_label(RANK), quantity_label(_NORM)
    for axes, title, quantity in zip(upper, (rank, norm), (RANK, _NORM), strict=False):
        ends = [lines.final_values(rows, quantity) for rows in spectra]
        if quantity != RANK:  # whose falls are to be seen
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
        _label_decays(axes, subject)
    shown = {rank: (spectra, RANK), norm: (spectra, _NORM), **_trained(tables, subject)}
    for axes, (title, (rows, value)) in zip(lower, shown.items(), strict=False):
        curves = [lines.curve(own, value) for own in rows]
        if value != RANK:
            lines.scale_ordinate(axes, map(lines.extent, curves))
        lines.draw_curves(axes, curves, looks, subject.timeline(tables))
        axes.set_title(fill(title, _TITLE_WIDTH))
    keys = [*_decay_keys(subject, **_MARK), _BASE_KEY]
    fig.legend(handles=keys, title="weight decay", loc="outside lower left", ncols=3)
    fig.legend(**pruned, loc="outside lower right")


def _trained(tables: Tables, subject: Subject) -> dict[str, tuple[list[pd.DataFrame], str]]:
    """Return the histories of metrics by title: those on validation data first."""
    return {
        f"{split} {label}": (
            subject.rows_of_members(tables, "history", split=split, metric=metric),
            "value",
        )
        for split in ("validation", "train")
        for metric, label in subject.metrics(tables).items()
    }


def _looks(subject: Subject) -> list[dict[str, Any]]:
    """Return a look for each weight decay; that of the base is wide."""
    colours = spread_colours(WEIGHT_DECAY_MAP, len(subject.members))
    widths = [2.4 if name == subject.name else 1.3 for name in subject.member_names]
    return [
        {"color": colour, "linewidth": width} for colour, width in zip(colours, widths, strict=True)
    ]


def _decay_keys(subject: Subject, **mark: Any) -> list[Any]:
    labelled = zip(map(decay_label, subject.values), _looks(subject), strict=True)
    return [lines.line_key(label, **look, **mark) for label, look in labelled]


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
    keys = [lines.line_key(variant.label, **variant.line) for variant in variants]
    return {"handles": keys, "title": fill(pruning_note(variants), _NOTE_WIDTH), "ncols": 2}


def _label_decays(axes: Axes, subject: Subject) -> None:
    decays, base = subject.values, subject.member_names.index(str(subject.name))
    turned: dict[str, Any] = {"rotation": 45} if len(decays) > _MANY else {}
    axes.set_xticks(range(len(decays)), [decay_label(decay) for decay in decays], **turned)
    axes.set_xlim(-0.5, len(decays) - 0.5)
    axes.set_xlabel("weight decay")
    axes.axvspan(base - 0.5, base + 0.5, color=_BASE_COLOUR, zorder=0)


@figure(
    "weight_decay",
    title="Weight decay, at the checkpoint of least validation loss",
    caption="Left, the least validation loss of all kept checkpoints; middle, the normalized "
    "effective rank at that checkpoint, mean over matrices; right, when that was. If the best "
    "setting has the lowest rank among those that train, rank and generalization go together. "
    "Mean and one standard deviation over seeds, which are small dots.",
    claims=("decay_lowers_rank",),
)
def best_epoch(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw loss, rank and time of each seed's best checkpoint, a panel each."""
    fig.set_figheight(2.9)
    loss, rank, time = fig.subplots(1, 3)
    histories = subject.rows_of_members(tables, "history", split="validation", metric="loss")
    best = [_best_checkpoints(history) for history in histories]
    spectra = subject.rows_of_members(tables, "spectra")
    ranks = [
        lines.seed_means(rows.merge(own[["seed", "step"]]), RANK)
        for rows, own in zip(spectra, best, strict=True)
    ]
    losses, times = ([own.set_index("seed")[name] for own in best] for name in ("value", "time"))
    lines.scale_ordinate(loss, losses)
    if loss.get_yscale() == "linear":  # small differences are to be seen
        loss.autoscale(axis="y")
    unit = subject.timeline(tables).unit
    for axes, title, values in (
        (loss, "least validation loss", losses),
        (rank, f"{quantity_label(RANK)}\nat that checkpoint", ranks),
        (time, f"{unit} of that checkpoint", times),
    ):
        _draw_ends(axes, values, [look["color"] for look in _looks(subject)])
        _label_decays(axes, subject)
        axes.set_title(title)
    time.set_ylim(bottom=0)
    fig.legend(handles=[_BASE_KEY], loc="outside lower center")


def _best_checkpoints(history: pd.DataFrame) -> pd.DataFrame:
    """Return the row with the least value of each seed; what is not finite is never the least."""
    finite = history[np.isfinite(history["value"])]
    return finite.loc[finite.groupby("seed")["value"].idxmin()]


@figure(
    "weight_decay",
    title="Rank against norm under weight decay",
    caption="Shrinking alone, a matrix by a factor, leaves its effective rank as it is: a dashed "
    "line, at the rank of the least weight decay. Left, means over matrices at the end of training "
    "(small dots: seeds). Middle, every matrix at the end, mean over seeds, its norm as a share of "
    f"the one at the least weight decay, {_LEAST_SHARE:g} if it is less; grey lines join one "
    "matrix. Right, means over matrices all through training, from the ring to the dot: where "
    "curves have one norm and two ranks, the norm is not all that decay changes.",
    claims=("decay_lowers_rank",),
)
def rank_and_norm(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw means at the end, matrices at the end, and the way there."""
    fig.set_figheight(4.0)
    ends, matrices, way = fig.subplots(1, 3)
    spectra = subject.rows_of_members(tables, "spectra")
    _draw_mean_ends(ends, spectra, subject)
    _draw_matrices(matrices, spectra, subject)
    _draw_way(way, spectra, subject)
    for axes in (ends, way):
        axes.set_xlabel(f"{quantity_label(_NORM)}, mean over matrices")
        axes.set_ylabel(quantity_label(RANK))
    keys = [*_decay_keys(subject, **_MARK), lines.line_key("shrinking alone", **NULL_LINE)]
    fig.legend(handles=keys, title="weight decay", loc="outside lower center", ncols=len(keys))


def _draw_mean_ends(axes: Axes, spectra: Sequence[pd.DataFrame], subject: Subject) -> None:
    ranks, norms = (
        [lines.final_values(rows, quantity) for rows in spectra] for quantity in (RANK, _NORM)
    )
    axes.axhline(ranks[0].mean(), **NULL_LINE)
    axes.plot(*([one.mean() for one in own] for own in (norms, ranks)), **_JOINT)
    for norm, rank, look in zip(norms, ranks, _looks(subject), strict=True):
        axes.plot(norm.mean(), rank.mean(), **_MARK, color=look["color"])
        axes.plot(norm, rank, ".", color=look["color"], markersize=3)
    _scale_norms(axes)
    axes.set_title("at the end of training")


def _draw_matrices(axes: Axes, spectra: Sequence[pd.DataFrame], subject: Subject) -> None:
    """Draw the final rank of each matrix against its norm, in units of the first decay's."""
    ends = [at_end(rows).groupby("matrix")[[RANK, _NORM]].mean() for rows in spectra]
    shares = [(own[_NORM] / ends[0][_NORM]).clip(lower=_LEAST_SHARE) for own in ends]
    changes = [own[RANK] - ends[0][RANK] for own in ends]
    axes.axhline(0, **NULL_LINE)
    axes.plot(pd.DataFrame(shares), pd.DataFrame(changes), **_JOINT | {"linewidth": 0.5})
    for share, change, look in zip(shares, changes, _looks(subject), strict=True):
        axes.plot(share, change, ".", color=look["color"], markersize=5)
    _scale_norms(axes)
    least = decay_label(subject.values[0])
    axes.set_xlabel(f"norm, as a share of that of decay {least}")
    axes.set_ylabel(f"change of rank since decay {least}")
    axes.set_title("every matrix at the end of training")


def _draw_way(axes: Axes, spectra: Sequence[pd.DataFrame], subject: Subject) -> None:
    """Draw how mean rank and mean norm go together in training."""
    for rows, look in zip(spectra, _looks(subject), strict=True):
        norm, rank = (lines.curve(rows, quantity)["mean"] for quantity in (_NORM, RANK))
        axes.plot(norm, rank, **look)
        axes.plot(norm.iloc[0], rank.iloc[0], "o", color=look["color"], markerfacecolor="white")
        axes.plot(norm.iloc[-1], rank.iloc[-1], **_MARK, color=look["color"])
    _scale_norms(axes)
    axes.set_title("from the start to the end of training")


def _scale_norms(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with round numbers."""
    axes.set_xscale("log")
    ticks = round_numbers(*axes.get_xlim())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
