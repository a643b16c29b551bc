"""What is told of a step at once: what is not finite, a collapsing rank, an exploding norm."""

import math
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import Field

from specflow.live.kinds import Kind
from specflow.live.rows import Scalars, is_measured
from specflow.section import Section

_RANK, _NORM = "normalized_effective_rank", "spectral_norm"


class Alert(NamedTuple):
    """What is wrong at a step.

    Attributes:
        step: The step.
        matrix: The matrix, or what else the number is of; "" if of all.
        message: What is wrong, with the number and the threshold.
    """

    step: int
    matrix: str
    message: str


def of_weights(scalars: Scalars) -> Scalars:
    """Return numbers with those of leading values by the names of whole spectra, if those lack."""
    prefix = Kind.LEADING.prefix
    own = {name for name in scalars if name.startswith(prefix) and is_measured(name)}
    others = {name: value for name, value in scalars.items() if name not in own}
    return {name.removeprefix(prefix): scalars[name] for name in scalars if name in own} | others


class AlertParams(Section):
    """Thresholds of alerts; each is off where it is None.

    Attributes:
        least_rank: Of the normalized effective rank, in (0, 1).
        most_growth: Times by which the largest singular value has grown since the first step of
            the file.
        not_finite: Whether NaN and infinity in weights, or in what `step` was given, are told.
    """

    least_rank: Annotated[float, Field(gt=0, lt=1)] | None = None
    most_growth: Annotated[float, Field(gt=1)] | None = None
    not_finite: bool = True

    def of(self, step: int, scalars: Scalars, first: Scalars) -> Iterator[Alert]:
        """Yield the alerts of a step.

        Args:
            step: The step.
            scalars: Its numbers.
            first: Those of the first step in the file.
        """
        first = of_weights(first)
        for name, value in of_weights(scalars).items():
            quantity, _, matrix = name.partition("/")
            is_told = quantity == _NORM or not is_measured(quantity)
            if self.not_finite and is_told and not math.isfinite(value):
                yield Alert(step, matrix, f"{quantity} is {value}")
            elif quantity == _RANK and self.least_rank and value < self.least_rank:
                yield Alert(step, matrix, f"{quantity} is {value:.3g}, below {self.least_rank:g}")
            elif quantity == _NORM and self.most_growth and name in first:
                growth = value / first[name] if first[name] > 0 else 0.0
                if growth > self.most_growth:
                    said = f"{growth:.3g} times that of the first step, above {self.most_growth:g}"
                    yield Alert(step, matrix, f"{quantity} is {value:.3g}, {said}")
