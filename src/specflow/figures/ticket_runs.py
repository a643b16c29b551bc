"""Lottery tickets as runs of their own: SVD pruning, and agreement layer by layer."""

from matplotlib.figure import Figure

from specflow.figures import heatmaps, lines
from specflow.figures.losses import pruning_legend, pruning_note, variants_of
from specflow.figures.registry import figure
from specflow.figures.style import AGREEMENT_MAP, SOURCE_LINE
from specflow.figures.subjects import Subject
from specflow.figures.tickets import error_of, kinds_of, panels_of, settings_of
from specflow.frames import Tables, where, with_full

_SOURCE = SOURCE_LINE | {"color": "#999999"}  # the full model may be black
_ROW_HEIGHT = 1.6  # inches of a row of curves over time


@figure(
    "ticket",
    title="Lottery tickets with SVD pruning",
    caption="Error on validation data of each ticket and of what SVD pruning leaves of it, which "
    "is measured at the split steps and at the end (marks); a row for each kind, a column for each "
    "share of weights kept. Mean and one standard deviation over seeds.",
)
def ticket_pruning(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw a panel for each ticket, the source beside it."""
    settings, (error, label) = settings_of(tables, subject), error_of(tables, subject)
    kinds = kinds_of(settings)
    fig.set_figheight(1.3 + _ROW_HEIGHT * len(kinds))
    grid = fig.subplots(len(kinds), len(settings), sharex=True, sharey=True, squeeze=False)
    trained = subject.timed(tables, where(tables["ticket_history"], **error))
    pruned = subject.timed(tables, where(tables["ticket_pruning"], **error))
    history, variants = subject.rows(tables, "history", **error), variants_of(pruned)
    source, rows = lines.curve(history, "value"), with_full(trained, pruned)
    lines.scale_ordinate(grid[0, 0], [history["value"], rows["value"]])
    for axes, ticket in panels_of(grid, settings, kinds):
        own = where(rows, ticket=ticket)
        lines.draw_curve(axes, source, **_SOURCE)
        for variant in variants:
            marks = {} if variant.keep == "full" else {"marker": "o"}
            lines.draw_curve(axes, lines.curve(variant.of(own), "value"), **variant.line | marks)
        subject.timeline(tables).apply(axes, history["time"])
    fig.supylabel(label, fontsize="medium")
    key = lines.line_key("source, all weights", **_SOURCE)
    legend = pruning_legend(variants, key)
    fig.legend(**legend, title=pruning_note(variants), loc="outside lower center")


@figure(
    "ticket",
    title="Agreement of lottery tickets with their source at the same step",
    caption="Agreement score of every layer of a ticket with that of its source, which was trained "
    "as long with all weights, mean over seeds: bright, where both have the same top directions. A "
    "row for each kind, a column for each share of weights kept.",
    claims=("tickets_keep_top",),
)
def ticket_agreement(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw layers by time."""
    _draw_layers(fig, tables, subject, "agreement_score")


@figure(
    "ticket",
    title="Agreement of lottery tickets with their own end",
    caption="Agreement score of every layer of a ticket with that at the end of its own training, "
    "mean over seeds; a row for each kind, a column for each share of weights kept.",
    folded=True,
)
def ticket_settling(fig: Figure, tables: Tables, subject: Subject) -> None:
    """Draw layers by time."""
    _draw_layers(fig, tables, subject, "own_agreement_score")


def _draw_layers(fig: Figure, tables: Tables, subject: Subject, column: str) -> None:
    """Draw a heatmap of a score for each ticket, layers downward."""
    settings, layers = settings_of(tables, subject), subject.layers(tables, "matrix")
    kinds, height = kinds_of(settings), heatmaps.height_of(layers)
    fig.set_figheight(0.9 + (height + 0.15) * len(kinds))
    grid = fig.subplots(len(kinds), len(settings), sharex=True, sharey=True, squeeze=False)
    rows = subject.timed(tables, tables["ticket_spectra"])
    colours, meshes = heatmaps.colour_scale(AGREEMENT_MAP, ()), []
    for axes, ticket in panels_of(grid, settings, kinds):
        scores = heatmaps.grid(where(rows, ticket=ticket), "matrix", layers.index, column)
        meshes.append(heatmaps.draw_heatmap(axes, scores, subject.timeline(tables), colours))
        heatmaps.label_rows(axes, layers["label"])
    heatmaps.add_colour_bar(fig, grid.flat, meshes, "agreement score")
