"""Alignment of the singular vectors of neighbouring layers (figure 5 of the paper)."""

from matplotlib.figure import Figure

from specflow.figures.diagonals import Comparison, diagonal_grid, draw_comparison
from specflow.figures.grouping import grid
from specflow.figures.layers import pairs_of
from specflow.figures.style import ALIGNMENT_MAP
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_pair
from specflow.tables.reading import Tables


def draw_alignment(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw the diagonal of the chosen pair and the scores of all pairs, means over seeds.

    Args:
        tables: pairs, alignment_diagonal and alignment are read.
        experiment: One that has pairs.
        params: The figures section.

    Returns:
        The figure.
    """
    layers = pairs_of(tables, experiment)
    pair = chosen_pair(params, experiment, layers.names)
    timeline = Timeline.of(params.of(experiment))
    diagonal = tables["alignment_diagonal"].where(experiment=experiment, pair=pair)
    scores = tables["alignment"].where(experiment=experiment)
    comparison = Comparison(
        title=f"Alignment of neighbouring layers: {experiment}",
        quantity="alignment",
        layers=layers,
        chosen=pair,
        diagonal=diagonal_grid(diagonal, timeline),
        scores=grid(scores, "pair", layers.names, timeline.column, "alignment_score"),
        colours=ALIGNMENT_MAP,
    )
    return draw_comparison(comparison, timeline)
