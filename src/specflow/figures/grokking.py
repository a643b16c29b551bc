"""The panel that compares conditions of grokking, a row each (figure 2 of the paper)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures import heatmaps, lines, style
from specflow.figures.agreement import diagonal_of
from specflow.figures.losses import draw_errors
from specflow.figures.registry import figure
from specflow.figures.spectra import draw_evolution, label_index_bar
from specflow.figures.subjects import Subject
from specflow.frames import RANK, Tables, where

_KEY_COLUMNS = 4
_KEY_LINE = 0.18  # inches
_KEY_HEIGHT = 0.35  # of a row: the keys below the columns


@figure(
    "grokking",
    title="Grokking: mean and one standard deviation over seeds",
    caption="A condition in each row; alignment has the same colours in all (paper, figure 2).",
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
    fig.set_figheight(1.9 + 1.6 * len(members) + key_height)
    heights = [1.0] * len(members) + [_KEY_HEIGHT]
    grid = fig.subplots(len(heights), 4, height_ratios=heights)
    diagonals = [diagonal_of(one, tables, "alignment", pair=panel.pair) for one in members]
    colours = heatmaps.colour_scale(style.ALIGNMENT_MAP, [[0], *diagonals])
    for row, member, own, diagonal in zip(grid, members, layers, diagonals, strict=False):
        timeline = member.timeline(tables)
        if all(one.empty for one in draw_errors(row[0], tables, member)):
            reason = f"history has no metric 'error' of {member.name}; the panel needs it"
            raise SpecflowError(reason)
        row[0].set_ylabel(str(member.name))
        values = member.rows(tables, "singular_values", matrix=panel.matrix)
        indices = draw_evolution(row[1], values, timeline, values["index"].max())
        spectra = member.rows(tables, "spectra")
        ranks = [lines.curve(where(spectra, matrix=matrix), RANK) for matrix in own.index]
        lines.draw_curves(row[2], ranks, [looks[one] for one in own["label"]], timeline)
        lines.scale_fraction(row[2])
        mesh = heatmaps.draw_heatmap(row[3], diagonal, timeline, colours)
        row[3].set_ylabel("index i")
    matrix = layers[0].at[panel.matrix, "label"]
    pair = members[0].layers(tables, "pair").at[panel.pair, "label"].replace(" → ", "\n→ ")
    rank = style.quantity_label(RANK)
    titles = ("error", f"singular values of\n{matrix}", f"{rank}\nof all matrices")
    for axes, title in zip(grid[0], (*titles, f"alignment: {pair}"), strict=True):
        axes.set_title(title)
    for axes in grid[-2]:
        axes.set_xlabel(timeline.unit)
    _draw_keys(grid[-1], indices, mesh)
    keys = [lines.line_key(label, **look) for label, look in looks.items()]
    fig.legend(handles=keys, title=f"{rank} of", loc="outside lower center", ncols=_KEY_COLUMNS)


def _looks(labels: Iterable[str]) -> Mapping[str, dict[str, Any]]:
    """Return colour and dashes of every matrix of all experiments, by its label."""
    colours = len(style.LINE_COLOURS)
    return {
        label: {
            "color": style.LINE_COLOURS[place % colours],
            "linestyle": style.DASHES[place // colours % len(style.DASHES)],
            "linewidth": 1.2,
        }
        for place, label in enumerate(dict.fromkeys(labels))
    }


def _draw_keys(row: Sequence[Axes], indices: ScalarMappable, alignment: ScalarMappable) -> None:
    """Draw what explains the columns, below them."""
    for axes in row:
        axes.axis("off")
    splits = [lines.line_key(split, colour) for split, colour in style.SPLIT_COLOURS.items()]
    row[0].legend(handles=splits, loc="upper center")
    for axes, mappable, label in ((row[1], indices, "index i"), (row[3], alignment, "alignment")):
        place = axes.inset_axes((0.0, 0.7, 1.0, 0.16))
        bar = axes.figure.colorbar(mappable, cax=place, orientation="horizontal", label=label)
        bar.outline.set_visible(False)
        if mappable is indices:
            label_index_bar(bar)
