"""What all figures share: fonts, colours (safe for the colour-blind), texts, the way to disk."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, FuncNorm, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.typing import ColorType, LineStyleType

from specflow.textfiles import written

_LONGEST_LABEL = 60  # characters; the middle of longer ones is left out
_LINE_LENGTH = 100  # letters of a title that the width of a figure holds
_PLACE_DIGITS = 9
WIDTH = 9.0  # inches; a README shows it at about 900 px, so 9 pt type is 12 px high there

KEEP_COLOURS = {
    "full": "#D55E00",
    "reestimated": "#222222",
    "top": "#0072B2",
    "bottom": "#009E73",
}
SPLIT_COLOURS = {"train": "#222222", "validation": "#AA3377"}
SPLITS = tuple(SPLIT_COLOURS)
# Masks of two kinds are the same and their scores coincide: one line is wide, dashes lie over it.
KIND_LOOKS: dict[str, dict[str, Any]] = {
    "magnitude": {"color": "#7B3294", "linewidth": 2.4, "marker": "o", "markersize": 4.5},
    "random": {"color": "#E69F00", "linewidth": 1.5, "marker": "s", "markersize": 4},
    "reinitialized": {
        **{"color": "#2A9DD8", "linewidth": 1.5, "linestyle": (0, (3, 2))},
        **{"marker": "x", "markersize": 4.5},
    },
}
SOURCE_LINE: dict[str, Any] = {"color": "#222222", "linewidth": 1.5}
LABEL_COLOURS = {"true": "#332288", "random": "#C28A00"}
NULL_LINE: dict[str, Any] = {"color": "#777777", "linestyle": "--", "linewidth": 1.2}
ZERO_LINE: dict[str, Any] = {"color": "#444444", "linewidth": 0.8}
UNDEFINED_COLOUR = "#BBBBBB"
DASHES: tuple[LineStyleType, ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (5, 1.2, 1, 1.2, 1, 1.2)),
    (0, (9, 2)),
)
LINE_COLOURS = (
    *("#000000", "#0072B2", "#E69F00", "#009E73"),
    *("#CC79A7", "#56B4E9", "#D55E00", "#8C6D31"),
)

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "figure.titlesize": 10.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
}


def _part(name: str, low: float, high: float) -> Colormap:
    # the light end of a map cannot be seen as a line on white
    colours = colormaps[name](np.linspace(low, high, 256))
    return LinearSegmentedColormap.from_list(f"{name}_part", list(colours))


# One map a quantity, of which lightness tells high from low.
SINGULAR_INDEX_MAP = _part("plasma", 0.0, 0.88)
DEPTH_MAP = _part("viridis", 0.0, 0.92)
EFFECTIVE_RANK_MAP = colormaps["viridis"]
AGREEMENT_MAP = colormaps["magma"]
CHANGE_MAP = colormaps["inferno"]
RANK_CHANGE_MAP = colormaps["RdBu_r"]
STABLE_RANK_MAP = colormaps["plasma"]
GINI_MAP = colormaps["YlOrBr"]
ALIGNMENT_MAP = colormaps["YlGnBu_r"]
SPLIT_POINT_MAP = _part("YlGnBu", 0.35, 1.0)
WEIGHT_DECAY_MAP = _part("BuPu", 0.35, 1.0)


class Scale(NamedTuple):
    """Which values the two ends of a map stand for, and how much of the map small ones get.

    Attributes:
        low: Value at the start.
        high: Value at the end.
        power: Colours are spaced as sign(x) |x|^power: below 1 small values are spread out, above
            1 those near 1.
        ticks: Values that a colour bar numbers.
    """

    low: float
    high: float
    power: float
    ticks: tuple[float, ...]

    def norm(self) -> Normalize:
        """Return where between 0 and 1 values stand; those beyond an end get its colour."""
        spaces = (partial(_signed_power, self.power), partial(_signed_power, 1 / self.power))
        return FuncNorm(spaces, self.low, self.high, clip=True)


def _signed_power(power: float, values: Any) -> np.ndarray:
    return np.sign(values) * np.abs(values) ** power


# By name of the map: these quantities have the same colours in all figures.
SCALES = {
    EFFECTIVE_RANK_MAP.name: Scale(0, 1, 3, (0, 0.5, 0.7, 0.8, 0.9, 1)),
    RANK_CHANGE_MAP.name: Scale(-1, 1, 1 / 3, (-1, -0.3, -0.05, 0, 0.05, 0.3, 1)),
    STABLE_RANK_MAP.name: Scale(0, 1, 0.5, (0, 0.02, 0.1, 0.25, 0.5, 1)),
    GINI_MAP.name: Scale(0, 1, 1, (0, 0.25, 0.5, 0.75, 1)),
    AGREEMENT_MAP.name: Scale(0, 1, 1, (0, 0.25, 0.5, 0.75, 1)),
    ALIGNMENT_MAP.name: Scale(0, 1, 0.5, (0, 0.02, 0.1, 0.25, 0.5, 1)),
}


def house_style() -> AbstractContextManager[None]:
    """Draw in the style of the house, whatever the user's own matplotlib settings."""
    return matplotlib.style.context(_STYLE, after_reset=True)


class _Layout(ConstrainedLayoutEngine):
    """Places panels to a billionth of the figure: further digits differ from run to run.

    A text that begins between two pixels would have other shades by them.
    """

    def execute(self, fig: Figure) -> None:
        super().execute(fig)
        for axes in fig.axes:
            bounds = np.round(axes.get_position(original=True).bounds, _PLACE_DIGITS)
            axes.set_position(tuple(bounds), which="original")


def new_figure() -> Figure:
    """Return an empty figure of the common width."""
    figure = Figure(figsize=(WIDTH, WIDTH / 2), layout=_Layout())
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a PNG that knows its title, the same bytes whenever the same figure is drawn.

    Raises:
        SpecflowError: If the file cannot be written; nothing is left behind then.
    """
    metadata = {"Software": None, "Title": figure.get_suptitle()}
    with written(path) as part:
        figure.savefig(part, dpi=dpi, format="png", metadata=metadata)


def spread_colours(colours: Colormap, count: int) -> list[ColorType]:
    """Return `count` colours from the first to the last of a map."""
    return [colours(float(place)) for place in np.linspace(0, 1, count)]


def quantity_label(name: str) -> str:
    """Return what people call a spectral quantity."""
    from specflow.spectra.quantities import QUANTITIES  # here, since it imports torch

    return QUANTITIES[name].label


def plain(text: str) -> str:
    """Return a name from elsewhere as a text of matplotlib in which no `$` begins mathematics."""
    return text.replace("$", r"\$")


def shortened(label: str) -> str:
    """Return a label of 60 characters at most: of a longer one, the start and the end."""
    if len(label) <= _LONGEST_LABEL:
        return label
    start = _LONGEST_LABEL // 2
    return f"{label[:start]}…{label[start + 1 - _LONGEST_LABEL :]}"


def short_pair(pair: str) -> str:
    """Return a pair's label with what both sides have in common, if it is two words, said once.

    "block 1 MLP in -> block 1 MLP out" becomes "block 1: MLP in → MLP out".
    """
    previous, following = (side.split(" ") for side in pair.partition(" -> ")[::2])
    if previous[:2] != following[:2] or min(len(previous), len(following)) <= 2:
        return pair.replace("->", "→")
    return f"{' '.join(previous[:2])}: {' '.join(previous[2:])} → {' '.join(following[2:])}"


def metric_title(split: str, metric: str) -> str:
    """Return what stands above a panel of a metric, "validation word error"."""
    return f"{split} {metric}".replace("_", " ")


def null_text(nulls: pd.Series) -> str:
    """Return the null levels in words, "null level 0.01 to 0.02"."""
    if nulls.isna().all():
        return "null level not defined"
    low, high = f"{nulls.min():.2g}", f"{nulls.max():.2g}"
    return f"null level {low}" if low == high else f"null level {low} to {high}"


def title_columns(
    row: Iterable[Axes], parts: Sequence[Sequence[str]], names: Sequence[str] = ()
) -> None:
    """Put a title of parts above each column, below the column's name if there are several."""
    if len(names) > 1:
        parts = [(name, *own) for name, own in zip(names, parts, strict=True)]
    for axes, title in zip(row, column_titles(parts), strict=True):
        axes.set_title(title)


def column_titles(columns: Sequence[Sequence[str]]) -> list[str]:
    """Return a title for each column of panels, in lines that do not reach the next column.

    A part of a title ends at the same height in all columns.
    """
    width = _LINE_LENGTH // len(columns)
    parts = [[_lines(part, width) for part in column] for column in columns]
    heights = [max(map(len, same)) for same in zip(*parts, strict=True)]
    return [
        "\n".join(
            line
            for lines, height in zip(column, heights, strict=True)
            for line in [""] * (height - len(lines)) + lines
        )
        for column in parts
    ]


def _lines(text: str, width: int) -> list[str]:
    """Break at spaces and after underscores."""
    spaced, width = text.replace("_", "_ "), width + text.count("_")
    lines = wrap(spaced, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("_ ", "_") for line in lines] or [""]
