"""What a single step shows in place of lines over time: the spectrum of a matrix."""

import numpy as np
from matplotlib.figure import Figure

from specflow.figures import style
from specflow.figures.depth import scale_wide
from specflow.figures.registry import figure, has_rows, over_steps
from specflow.figures.subjects import Subject
from specflow.frames import Tables

_EDGES = {"noise_lower_edge": ":", "noise_upper_edge": "--"}  # and how each is drawn


def _is_one_step(tables: Tables, subject: Subject) -> bool:
    there, over_time = (kind("singular_values") for kind in (has_rows, over_steps))
    return there(tables, subject) and not over_time(tables, subject)


@figure(
    "checkpoints",
    title="Spectrum of one matrix",
    caption="Its singular values, the largest first. Where a Marchenko-Pastur bulk of noise, with "
    "a fitted scale, is known, it ends at the dashed line, and begins at the dotted one or at 0.",
    when=_is_one_step,
    order=3,
)
def spectrum(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw singular values against their index."""
    matrix = subject.chosen(tables, "matrix")
    values = subject.rows(tables, "singular_values", matrix=matrix)
    quantities = subject.rows(tables, "spectra", matrix=matrix)
    fig.set_figheight(3.6)
    axes = fig.subplots()
    axes.plot(values["index"], values["mean"], ".-", linewidth=0.9, color=style.LINE_COLOURS[1])
    for name, dashes in _EDGES.items():
        edge = quantities[name].iat[0] if name in quantities else np.nan
        if edge > 0:
            look = style.NULL_LINE | {"linestyle": dashes}
            axes.axhline(edge, label=style.quantity_label(name), **look)
            axes.legend()
    axes.set_xscale("log")
    scale_wide(axes, values["mean"])
    axes.set_title(subject.layers(tables, "matrix").at[matrix, "label"])
    axes.set_xlabel("index i (1 = largest)")
    axes.set_ylabel("singular value")
