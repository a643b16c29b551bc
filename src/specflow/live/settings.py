"""Settings of a watch."""

import operator
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from specflow.live.alerts import AlertParams
from specflow.measure.settings import SpectraParams
from specflow.section import Section
from specflow.wiring.recognize import Patterns

# As of `specflow analyze --quick`, with the directions that scores are of and no more.
SPECTRA = SpectraParams(diagonal_length=10, score_length=10, mass=0.9, more=("random_matrix",))
_EXPECTED = "expected a whole number from 1 on, or several from 0 on"

Steps = int | tuple[int, ...]


def _steps(given: Any) -> Steps:
    """Return a distance between steps, or several steps in ascending order.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(given, bool):
        raise ValueError(_EXPECTED)
    is_one = isinstance(given, str) or not isinstance(given, Iterable)
    try:
        numbers = [operator.index(one) for one in ([given] if is_one else given)]
    except TypeError as error:
        raise ValueError(_EXPECTED) from error
    if not numbers or min(numbers) < is_one:
        raise ValueError(_EXPECTED)
    return numbers[0] if is_one else tuple(sorted({*numbers}))


class WatchParams(Section):
    """What of a network is watched, how often, and at what cost.

    Attributes:
        every: Number of steps from one whose spectra are measured to the next, or the steps that
            are.
        leading: The same of leading singular values and vectors; None measures no more of them.
        match: Patterns of tensors or matrices that are watched.
        exclude: Patterns of those that are not.
        budget: Share of the time of training that may go into copying weights.
        alerts: What is told at once; None is nothing.
        gradients: Whether the spectra of gradients are measured too.
        updates: Whether those of what a step has changed are.
        store_weights: Whether copies are kept as checkpoints, where whole spectra are measured.
    """

    every: Annotated[Steps, PlainValidator(_steps)] = 100
    leading: Annotated[Steps, PlainValidator(_steps)] | None = None
    match: Annotated[Patterns, Field(min_length=1)] = ("*",)
    exclude: Patterns = ()
    budget: Annotated[float, Field(gt=0, le=1)] = 0.01
    alerts: AlertParams | None = None
    gradients: bool = False
    updates: bool = False
    store_weights: bool = False
