"""Branch endpoints compared: their agreement, across trunks, and after a perturbation."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from specflow.figures import panels
from specflow.figures.averages import curve
from specflow.figures.barriers import UNIT
from specflow.figures.registry import figure, has_rows
from specflow.figures.scores import draw_scores, height_of, scores_of
from specflow.figures.style import AGREEMENT_MAP, NULL_LINE, ZERO_LINE
from specflow.figures.subjects import Subject
from specflow.frames import Tables, where

_OVER = "mean and one standard deviation over trunks and pairs of branches"
_MEAN_HEIGHT = 1.6  # inches
_BLUE, _ORANGE = "#0072B2", "#D55E00"
_RELATIONS = {
    "within": ("two branches of one trunk", _BLUE),
    "across": ("branches of two trunks", _ORANGE),
}


@figure(
    "connection",
    title="Agreement of singular vectors between branch endpoints",
    caption=f"Score of every matrix against the split point, and the mean over matrices; {_OVER}.",
    claims=("connected_share_directions",),
    order=3,
)
def endpoint_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a row for each matrix, and below it their mean."""
    scores = scores_of(subject, tables, "endpoint_agreement", "agreement_score", relation="within")
    rows = subject.rows(tables, "endpoint_agreement", relation="within")
    nulls = scores.layers["null"]
    heights = (height_of(scores.layers), _MEAN_HEIGHT)
    fig.set_figheight(sum(heights) + 1.8)
    upper, lower = fig.subplots(2, height_ratios=heights)
    colours = panels.ColourScale.around(AGREEMENT_MAP, [[0], scores.values])
    meshes = draw_scores([upper], [scores], colours, nulls=True, label="")
    upper.set_title(f"by matrix ({panels.null_text(nulls)})")
    panels.add_colour_bar(fig, [upper], meshes, "agreement score")
    keys = _draw_agreement(lower, {("branch endpoints", _BLUE): rows}, "time", nulls.mean())
    scores.timeline.apply(lower, scores.values.columns, f"{scores.timeline.unit} of the split")
    fig.legend(handles=keys, loc="outside lower center", ncols=2)


@figure(
    "connection",
    title="Branch endpoints of one trunk and of two",
    caption=f"Barriers and agreement against the split point; {_OVER} (of two trunks: over pairs "
    "of trunks and branches).",
    claims=("trunks_unconnected", "trunks_share_nothing"),
    when=has_rows("barriers", relation="across"),
    order=4,
)
def across(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw both relations against the split point."""
    groups = {look: {"relation": relation} for relation, look in _RELATIONS.items()}
    timeline = subject.timeline(tables)
    splits = subject.rows(tables, "barriers", relation="within")["time"]
    for axes in _draw_endpoints(fig, tables, subject, groups, "time"):
        timeline.apply(axes, splits, f"{timeline.unit} of the split")


@figure(
    "connection",
    title="Branch endpoints after a perturbation of the split point",
    caption=f"Barriers and agreement; scale 0 is the split point as it was; {_OVER}.",
    claims=("perturbation_breaks",),
    when=has_rows("barriers", relation="perturbed"),
    order=5,
)
def perturbation(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw both against the scale of the perturbation."""
    split = subject.rows(tables, "barriers", relation="perturbed").iloc[0]
    own = {"relation": ("within", "perturbed"), "split_step": split["split_step"]}
    when = f"{subject.timeline(tables).unit} {split['time']:g}"
    for axes in _draw_endpoints(fig, tables, subject, {("branch endpoints", _BLUE): own}, "scale"):
        axes.set_xlabel(f"scale of perturbation at {when}")
        axes.set_xlim(0, None)


def _draw_endpoints(
    fig: Figure,
    tables: Tables,
    subject: Subject,
    groups: Mapping[tuple[str, str], Mapping],
    x: str,
) -> Sequence[Axes]:
    """Draw barriers of every metric, and the mean agreement with its null level, side by side.

    Each of `groups`, what columns of its rows hold by label and colour, is a curve over the column
    `x`; that axis is left to the caller to scale and label.
    """
    full = {"keep": "full", "split": "validation"}
    heights = {k: subject.rows(tables, "barriers", **own, **full) for k, own in groups.items()}
    scores = {k: subject.rows(tables, "endpoint_agreement", **own) for k, own in groups.items()}
    metrics = next(iter(heights.values()))["metric"].unique()
    fig.set_figheight(3.2)
    row = fig.subplots(1, len(metrics) + 1, sharex=True, squeeze=False)[0]
    for axes, metric in zip(row, metrics, strict=False):
        for (_, colour), rows in heights.items():
            measured = curve(where(rows, metric=metric), "barrier", UNIT, x)
            panels.draw_curve(axes, measured, colour, marker="o")
        axes.axhline(0, **ZERO_LINE)
        axes.set_title(f"validation {metric}")
        axes.set_ylabel("barrier")
    null = subject.layers(tables, "matrix")["null"].mean()
    keys = _draw_agreement(row[-1], scores, x, null)
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return row


def _draw_agreement(
    axes: Axes, groups: Mapping[tuple[str, str], pd.DataFrame], x: str, null: float
) -> list[Line2D]:
    """Draw the mean agreement of each group with its null level; return the legend."""
    curves = {look: curve(rows, "agreement_score", UNIT, x) for look, rows in groups.items()}
    for (_, colour), measured in curves.items():
        panels.draw_curve(axes, measured, colour, marker="o")
    # unrelated endpoints lie on the null level: keep it above them
    axes.axhline(null, **NULL_LINE, zorder=3)
    # the null level is close to 0: keep it off the frame
    highest = max([null, *(float(one["mean"].max()) for one in curves.values() if len(one))])
    axes.set_ylim(-0.04 * highest, None)
    axes.set_title("mean over matrices")
    axes.set_ylabel("agreement score")
    keys = [panels.line_key(label, colour, marker="o", markersize=3.5) for label, colour in groups]
    return [*keys, panels.line_key(f"unrelated matrices ({null:.2g})", **NULL_LINE)]
