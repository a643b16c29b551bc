"""Branch ends from a perturbed split point, against the scale of the perturbation."""

from matplotlib.figure import Figure

from specflow.figures.branches import timeline_of
from specflow.figures.ends import draw_ends, ends_of
from specflow.figures.style import new_figure
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

_COLOUR = "#0072B2"


def draw_perturbation(tables: Tables, connection: str, params: FiguresParams) -> Figure:
    """Draw barriers and agreement of the ends; scale 0 is the split point as it was.

    Mean and one standard deviation over trunks and pairs of branches.

    Args:
        tables: connections, matrices, barriers and end_agreement are read.
        connection: Which one.
        params: The figures section; the split is stated as the connection's experiment counts.

    Returns:
        The figure.
    """
    timeline = timeline_of(tables, connection, params)
    perturbed = tables["barriers"].where(connection=connection, relation="perturbed")
    step = float(perturbed.numbers("split_step")[0])
    split = float(perturbed.numbers(timeline.split_column)[0])
    relations = ("within", "perturbed")
    ends = ends_of(tables, connection, "branch ends", _COLOUR, relation=relations, split_step=step)
    figure = new_figure(height=3.2)
    for axes in draw_ends(tables, connection, figure, [ends], "scale"):
        axes.set_xlabel("scale")
        axes.set_xlim(0, None)
    figure.suptitle(f"Branch ends after a perturbation at {timeline.unit} {split:g}: {connection}")
    return figure
