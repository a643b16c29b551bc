"""Agreement of singular vectors with the final checkpoint: when top directions settle."""

from matplotlib.figure import Figure

from specflow.figures.diagonals import Comparison, diagonal_grid, draw_comparison
from specflow.figures.grouping import grid
from specflow.figures.layers import matrices_of
from specflow.figures.style import AGREEMENT_MAP
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams, chosen_matrix
from specflow.tables.reading import Tables


def draw_agreement(tables: Tables, experiment: str, params: FiguresParams) -> Figure:
    """Draw the diagonal of the chosen matrix and the scores of all matrices, means over seeds.

    Args:
        tables: matrices, agreement_diagonal and spectra are read.
        experiment: Which one.
        params: The figures section.

    Returns:
        The figure.
    """
    layers = matrices_of(tables, experiment)
    matrix = chosen_matrix(params, experiment, layers.names)
    timeline = Timeline.of(params.of(experiment))
    diagonal = tables["agreement_diagonal"].where(experiment=experiment, matrix=matrix)
    spectra = tables["spectra"].where(experiment=experiment)
    comparison = Comparison(
        title=f"Agreement of singular vectors with the final checkpoint: {experiment}",
        quantity="agreement",
        layers=layers,
        chosen=matrix,
        diagonal=diagonal_grid(diagonal, timeline),
        scores=grid(spectra, "matrix", layers.names, timeline.column, "agreement_score"),
        colours=AGREEMENT_MAP,
    )
    return draw_comparison(comparison, timeline)
