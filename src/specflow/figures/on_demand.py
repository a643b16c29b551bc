"""What is measured on demand: noise, power laws, changes between steps, products of heads."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from specflow.figures import heatmaps, panels, style
from specflow.figures.registry import When, figure
from specflow.figures.spectra import OF_MANY, draw_quantities
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_COLUMNS = 3
_MOST_PAIRS = 12  # of which heads are shown


def _measured(*families: str) -> When:
    """Return the condition that a subject has a quantity of some families."""
    return lambda tables, subject: bool(_names(tables, subject, *families))


def _names(tables: Tables, subject: Subject, *families: str) -> list[str]:
    """Return the quantities of families that some row of a subject has."""
    from specflow.spectra.quantities import QUANTITIES  # here, since it imports torch

    rows = subject.rows(tables, "spectra")
    own = (name for name, one in QUANTITIES.items() if one.family in families)
    return [name for name in own if name in rows and rows[name].notna().any()]


@figure(
    *("experiment", "checkpoints"),
    title="All matrices against noise",
    caption="The Marchenko-Pastur bulk of each matrix, its scale fitted; the singular values that "
    "stand out of it by Tracy-Widom at 1%; how far the spectrum is from that law; the effective "
    "rank with entries permuted. Energy above noise is that of all values beyond the upper edge of "
    "the bulk, also of those so close to it that chance explains them, which are no outliers. "
    "A line for each matrix, from the input of the network to its "
    "output, of one step a mark; none where nothing is left of a bulk.",
    over_seeds="Mean over seeds.",
    of_many=OF_MANY,
    when=_measured("random_matrix", "permuted"),
    order=8,
)
def noise(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each quantity of noise."""
    names = _names(tables, subject, "random_matrix", "permuted")
    grid = draw_quantities(fig, tables, subject, names, marker=".")
    for axes, name in zip(grid, names, strict=True):
        if name == "num_outliers":
            axes.set_ylim(0, max(axes.get_ylim()[1], 1))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))


@figure(
    *("experiment", "checkpoints"),
    title="Power laws of all matrices",
    caption="The tail of the eigenvalues (squared singular values): exponent with its 95% "
    "interval, where the tail begins, how many values it has, and the p-value of the fit. There is "
    "no exponent where the fit is refused (p below 0.1), the tail has less than 50 values, or "
    "noise is enough to explain it. Matrices of less than 50 singular values are not shown.",
    over_seeds="Mean over seeds.",
    of_many=OF_MANY,
    when=_measured("power_law"),
    order=8,
)
def power_laws(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each number of the fits."""
    from specflow.spectra.power_law import LEAST_TAIL  # here, since it imports torch

    names = dict.fromkeys(("power_law_alpha", *_names(tables, subject, "power_law")))
    none = f"none accepted:\nno fit to {LEAST_TAIL} values or more\nthat noise does not explain"
    draw_quantities(fig, tables, subject, [*names], marker=".", least=LEAST_TAIL, none=none)


@figure(
    *("experiment", "checkpoints"),
    title="Rank and norm of what training adds",
    caption="Effective rank and Frobenius norm of the difference of each matrix from the first "
    "step, and from the step before.",
    over_seeds="Mean over seeds.",
    of_many=OF_MANY,
    when=_measured("changes"),
    order=6,
)
def change_spectra(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw rank and norm of both differences."""
    draw_quantities(fig, tables, subject, _names(tables, subject, "changes"), marker=".")


def _has_heads(tables: Tables, subject: Subject) -> bool:
    return "heads" in tables and len(subject.rows(tables, "heads")) > 0


@figure(
    *("experiment", "checkpoints"),
    title="Effective rank of what heads multiply",
    caption="Of W_Q^T W_K of each attention head, and of W_O W_V where the heads of values are "
    "known: a line for each head, from the first (dark) to the last; of one step a mark for each. "
    "At most 12 pairs, evenly by depth.",
    over_seeds="Mean over seeds.",
    when=_has_heads,
    order=8,
)
def heads(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each pair."""
    rows, timeline = subject.rows(tables, "heads"), subject.timeline(tables)
    layers = subject.layers(tables, "pair")
    layers = layers[layers.index.isin(rows["pair"])]
    layers = layers.iloc[
        np.unique(np.linspace(0, len(layers) - 1, _MOST_PAIRS).round().astype(int))
    ]
    grid = panels.small_panels(fig, list(layers["label"]), _COLUMNS)
    highest, is_one_step = rows["effective_rank"].max(), rows["time"].nunique() == 1
    for axes, pair in zip(grid, layers.index, strict=True):
        own = where(rows, pair=pair)
        values = heatmaps.grid(own, "head", sorted(own["head"].unique()), "effective_rank")
        axes.set_ylim(0, 1.04 * highest if highest > 0 else 1.0)
        if is_one_step:
            axes.plot(values, ".", color=style.LINE_COLOURS[1])
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        else:
            axes.set_prop_cycle(color=style.spread_colours(style.DEPTH_MAP, len(values)))
            axes.plot(values.columns, values.T, linewidth=1.0)
            timeline.apply(axes, values.columns)
    panels.label_columns(grid, "head" if is_one_step else timeline.unit, _COLUMNS)
