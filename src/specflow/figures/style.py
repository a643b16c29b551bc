"""What all figures share: sizes, fonts, colours (safe for the colour-blind), the way to disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.typing import ColorType, LineStyleType

WIDTH = 9.0  # inches; a README shows it at about 900 px, so 9 pt type is 12 px high there

KEEP_COLOURS = {"full": "#D55E00", "top": "#0072B2", "bottom": "#009E73"}
SPLIT_COLOURS = {"train": "#222222", "validation": "#AA3377"}
# A colour and a mark, as masks of two kinds are the same and their scores coincide.
KIND_LOOKS = {
    "magnitude": ("#D55E00", "o"),
    "random": ("#0072B2", "s"),
    "reinitialized": ("#009E73", "x"),
}
LABEL_COLOURS = {"true": "#332288", "random": "#C28A00"}
NULL_COLOUR = "#777777"
DASHES: tuple[LineStyleType, ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (5, 1.2, 1, 1.2, 1, 1.2)),
    (0, (9, 2)),
)
LINE_COLOURS = (
    "#000000",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#8C6D31",
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


# One map a quantity, all perceptually uniform.
SINGULAR_INDEX_MAP = _part("plasma", 0.0, 0.88)
EFFECTIVE_RANK_MAP = colormaps["viridis"]
AGREEMENT_MAP = colormaps["magma"]
ALIGNMENT_MAP = colormaps["cividis"]
SPLIT_POINT_MAP = _part("YlGnBu", 0.35, 1.0)
WEIGHT_DECAY_MAP = _part("BuPu", 0.35, 1.0)


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the house, whatever the user's own matplotlib settings."""
    with matplotlib.style.context(_STYLE, after_reset=True):
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure of the common width.

    Args:
        height: In inches.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a PNG that knows its title, the same bytes whenever the same figure is drawn.

    Args:
        figure: What to write.
        path: Where to.
        dpi: Dots per inch.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    title = " ".join(figure.get_suptitle().split())
    figure.savefig(path, dpi=dpi, format="png", metadata={"Software": None, "Title": title})


def spread_colours(colours: Colormap, count: int) -> list[ColorType]:
    """Return `count` colours from the first to the last of a map."""
    return [colours(float(place)) for place in np.linspace(0, 1, count)]
