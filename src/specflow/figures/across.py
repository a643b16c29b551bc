"""Branch ends of one trunk beside those of two trunks, against the split point."""

from matplotlib.figure import Figure

from specflow.figures.branches import timeline_of
from specflow.figures.ends import draw_ends, ends_of
from specflow.figures.style import new_figure
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

_GROUPS = {
    "within": ("two branches of one trunk", "#0072B2"),
    "across": ("branches of two trunks", "#D55E00"),
}


def draw_across(tables: Tables, connection: str, params: FiguresParams) -> Figure:
    """Draw barriers and agreement within and across trunks, side by side.

    Mean and one standard deviation over trunks (pairs of trunks) and pairs of branches (branches).

    Args:
        tables: connections, matrices, barriers and end_agreement are read.
        connection: Which one.
        params: The figures section; time is drawn as for the connection's experiment.

    Returns:
        The figure.
    """
    timeline = timeline_of(tables, connection, params)
    groups = [
        ends_of(tables, connection, *look, relation=relation) for relation, look in _GROUPS.items()
    ]
    figure = new_figure(height=3.2)
    for axes in draw_ends(tables, connection, figure, groups, timeline.split_column):
        splits = groups[0].barriers.numbers(timeline.split_column)
        timeline.apply(axes, splits, f"{timeline.unit} of the split")
    figure.suptitle(f"Branch ends of one trunk and of two: {connection}")
    return figure
