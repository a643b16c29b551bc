"""Decompositions of the matrices of one checkpoint."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from specflow.errors import SpecflowError
from specflow.measure.views import matrix_of
from specflow.models.wiring import View
from specflow.spectra import Decomposition, decompose_all


def decompose_views(
    views: Iterable[View], weights: Mapping[str, Tensor], *, step: int, count: int, workers: int
) -> dict[View, Decomposition]:
    """Return the decomposition of every view, each computed once, side by side.

    Args:
        views: What is decomposed.
        weights: Parameters of the checkpoint by name; not modified.
        step: That of the checkpoint, for messages.
        count: How many singular vectors of each.
        workers: Threads, one matrix each.

    Returns:
        Decompositions by view.

    Raises:
        SpecflowError: If a matrix is not finite or did not converge; it names matrix and step.
    """
    matrices = {view: matrix_of(view, weights) for view in views}
    try:
        return decompose_all(matrices, count, workers)
    except (ValueError, ArithmeticError) as error:
        raise SpecflowError(f"step {step}: {error}") from error
