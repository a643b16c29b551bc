"""The panel that compares conditions of grokking, a row each (figure 2 of the paper)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures import heatmaps, lines, style
from specflow.figures.agreement import diagonal_of
from specflow.figures.registry import figure
from specflow.figures.spectra import draw_evolution, label_index_bar
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, first_fits, where

_KEY_COLUMNS = 4
_KEY_LINE = 0.18  # inches
_KEY_HEIGHT = 0.35  # of a row: the keys below the columns
_ROW_LETTERS = 22  # of a condition beside its row, a line
_LEAST_RANK = 0.3
_SHOWN_SEED: dict[str, Any] = {"linewidth": 1.5}
_OTHER_SEED: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.55}
_FITS: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (1, 1.2)), "linewidth": 1.4}


@figure(
    "grokking",
    title="Grokking: every seed by itself",
    caption="A condition in each row. Lines of error and rank are single seeds, as they generalize "
    "at different steps; the bold one is the first, of which singular values and alignment are "
    "shown (index 1: the largest). At the dotted line it generalizes: see if rank falls there, and "
    "a few singular values part from the rest (paper, figure 2).",
    claims=("grokking_is_low_rank", "grokking_coincides", "more_data_low_rank"),
)
def grokking(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each condition.

    Raises:
        SpecflowError: If an experiment has no error.
    """
    panel, members = subject.params.grokking, subject.members
    assert panel is not None, "the subject is made of it"
    layers = [member.layers(tables, "matrix") for member in members]
    looks = _looks(label for own in layers for label in own["label"])
    key_height = _KEY_LINE * math.ceil(len(looks) / _KEY_COLUMNS)
    fig.set_figheight(2.0 + 1.6 * len(members) + key_height)
    heights = [1.0] * len(members) + [_KEY_HEIGHT]
    grid = fig.subplots(len(heights), 4, height_ratios=heights)
    colours, least = heatmaps.colour_scale(style.ALIGNMENT_MAP, ()), _LEAST_RANK
    for row, member, own in zip(grid, members, layers, strict=False):
        timeline, spectra = member.timeline(tables), member.rows(tables, "spectra")
        seed = spectra["seed"].iloc[0]
        _draw_errors(row[0], tables, member, seed)
        row[0].set_ylabel(fill(member.title, _ROW_LETTERS))
        values = member.rows(tables, "singular_values", matrix=panel.matrix)
        single = values.assign(mean=values["first_seed"], std=np.nan)
        indices = draw_evolution(row[1], single, timeline, values["index"].max())
        for matrix, label in own["label"].items():
            _draw_seeds(row[2], where(spectra, matrix=matrix), RANK, seed, looks[label])
        least = min(least, spectra[RANK].min())
        diagonal = diagonal_of(member, tables, "alignment", "first_seed", pair=panel.pair)
        mesh = heatmaps.draw_heatmap(row[3], diagonal, timeline, colours)
        row[3].set_ylabel("index i")
        _mark_fit(row, tables, member, seed)
        for axes in row:
            timeline.apply(axes, spectra["time"])
    for axes in grid[:-1, 2]:
        axes.set_ylim(0.98 * least, 1.02)
    matrix = layers[0].at[panel.matrix, "label"]
    pair = members[0].layers(tables, "pair").at[panel.pair, "label"].replace(" → ", "\n→ ")
    rank = style.quantity_label(RANK)
    titles = (
        "error\nof single seeds",
        f"singular values of\n{matrix}, seed {seed}",
        f"{rank}\nof all matrices and seeds",
        f"alignment, seed {seed}:\n{pair}",
    )
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    for axes in grid[-2]:
        axes.set_xlabel(timeline.unit)
    _draw_keys(grid[-1], indices, mesh)
    keys = [lines.line_key(label, **look) for label, look in looks.items()]
    fig.legend(handles=keys, title=f"{rank} of", loc="outside lower center", ncols=_KEY_COLUMNS)


def _draw_errors(axes: Axes, tables: Tables, member: Subject, seed: int) -> None:
    rows = member.rows(tables, "history", metric="error")
    if rows.empty:
        reason = f"history has no metric 'error' of {member.name}; the panel needs it"
        raise SpecflowError(reason)
    for split, colour in style.SPLIT_COLOURS.items():
        _draw_seeds(axes, where(rows, split=split), "value", seed, {"color": colour})
    lines.scale_fraction(axes)


def _draw_seeds(
    axes: Axes, rows: pd.DataFrame, value: str, shown: int, look: Mapping[str, Any]
) -> None:
    """Draw a thin line for each seed, and a bold one for the seed that is shown in full."""
    for seed, own in sorted(rows.groupby("seed"), key=lambda found: found[0] == shown):
        axes.plot(own["time"], own[value], **look, **_SHOWN_SEED if seed == shown else _OTHER_SEED)


def _mark_fit(row: Sequence[Axes], tables: Tables, member: Subject, seed: int) -> None:
    """Draw a line where the validation data are fitted by a seed, if they are."""
    errors = member.rows(tables, "history", metric="error", split="validation", seed=seed)
    times = errors["time"][errors["step"].isin(first_fits(errors))]
    for axes in row:
        for time in times:
            axes.axvline(time, **_FITS)


def _looks(labels: Iterable[str]) -> Mapping[str, dict[str, Any]]:
    """Return colour and dashes of every matrix of all experiments, by its label."""
    colours = len(style.LINE_COLOURS)
    return {
        label: {
            "color": style.LINE_COLOURS[place % colours],
            "linestyle": style.DASHES[place // colours % len(style.DASHES)],
        }
        for place, label in enumerate(dict.fromkeys(labels))
    }


def _draw_keys(row: Sequence[Axes], indices: ScalarMappable, alignment: ScalarMappable) -> None:
    """Draw what explains the columns, below them."""
    for axes in row:
        axes.axis("off")
    keys = [lines.line_key(split, colour) for split, colour in style.SPLIT_COLOURS.items()]
    keys.append(lines.line_key("1% validation error", **_FITS))
    row[0].legend(handles=keys, loc="upper center")
    for axes, mappable, label in ((row[1], indices, "index i"), (row[3], alignment, "alignment")):
        place = axes.inset_axes((0.0, 0.7, 1.0, 0.16))
        bar = axes.figure.colorbar(mappable, cax=place, orientation="horizontal", label=label)
        bar.outline.set_visible(False)
        heatmaps.number_bar(bar)
        if mappable is indices:
            label_index_bar(bar)
