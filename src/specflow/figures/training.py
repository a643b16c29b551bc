"""What a watched training shows beside its spectra: losses, and leading values at more steps."""

import numpy as np
from matplotlib.figure import Figure

from specflow.figures import depth, heatmaps, lines, panels, style
from specflow.figures.registry import figure, has_table
from specflow.figures.spectra import draw_evolution
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_COLUMNS = 3
_LABELS = {
    "start_agreement_score": "agreement with the first step",
    "step_agreement_score": "agreement with the step before",
    "alignment_score": "alignment of pairs",
}
_NAMES = ("spectral_norm", "stable_rank", "start_agreement_score", "step_agreement_score")


@figure(
    "checkpoints",
    title="Losses and other numbers given",
    caption="At the steps that were measured, of spectra or of leading values.",
    when=has_table("given"),
    order=0,
)
def given(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each number."""
    rows, timeline = subject.rows(tables, "given"), subject.timeline(tables)
    names = list(rows["metric"].unique())
    num_columns = min(len(names), _COLUMNS)
    grid = panels.small_panels(fig, [style.plain(name) for name in names], num_columns)
    for axes, name in zip(grid, names, strict=True):
        own = where(rows, metric=name)
        finite = own[np.isfinite(own["value"])]
        x, y, marker = finite["time"], finite["value"], lines.mark_of(len(finite))
        axes.plot(x, y, color=style.LINE_COLOURS[0], linewidth=1.0, marker=marker, markersize=3)
        lines.scale_ordinate(axes, [finite["value"]])
        timeline.apply(axes, own["time"])
    panels.label_columns(grid, timeline.unit, num_columns)


@figure(
    "checkpoints",
    title="Leading singular values and vectors at more steps",
    caption="The ten largest singular values of one matrix, the largest dark, and of every matrix, "
    "from the input of the network to its output, what needs no others; agreement is of the ten "
    "leading pairs of vectors.",
    when=has_table("leading"),
    order=4,
)
def leading(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw the values of a matrix, and a line for each matrix in a panel for each score."""
    rows, timeline = subject.rows(tables, "leading"), subject.timeline(tables)
    layers, values = subject.layers(tables, "matrix"), subject.rows(tables, "leading_values")
    matrix = values["matrix"].iat[0]
    titles = [
        f"ten largest of {layers.at[matrix, 'label']}",
        *(_label(name) for name in _NAMES),
    ]
    has_pairs = "leading_alignment" in tables
    first, *grid = panels.small_panels(
        fig, [*titles, *([_label("alignment_score")] if has_pairs else [])], _COLUMNS
    )
    values = values.rename(columns={"singular_value": "mean"}).assign(std=np.nan)
    draw_evolution(first, values, timeline, int(values["index"].max()))
    has_many = subject.has_many(tables)
    shown = [("matrix", rows, name, layers) for name in _NAMES]
    if has_pairs:
        of_pairs = subject.rows(tables, "leading_alignment")
        shown.append(("pair", of_pairs, "alignment_score", subject.layers(tables, "pair")))
    for axes, (key, some, name, entries) in zip(grid, shown, strict=True):
        each = heatmaps.grid(some, key, entries.index, name)
        keys = lines.draw_all(axes, each, has_many=has_many)
        timeline.apply(axes, each.columns)
    panels.label_columns([first, *grid], timeline.unit, _COLUMNS)
    depth.explain_lines(fig, grid, len(layers), keys)


def _label(name: str) -> str:
    return _LABELS[name] if name in _LABELS else style.quantity_label(name)
