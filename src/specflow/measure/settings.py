"""Settings of what is measured of checkpoints."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from specflow.section import Count, Fraction, Section, ascending

# What is measured on demand: families of quantities, and spectra of what is made of weights.
Family = Literal["random_matrix", "permuted", "power_law", "changes", "heads"]


class PruningParams(Section):
    """Changes of weights by hand: SVD pruning, and what follows any change.

    Attributes:
        keep_fractions: Fractions of every spectrum that are kept, from the top and the bottom.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated.
    """

    keep_fractions: Annotated[
        tuple[Fraction, ...], Field(strict=False, min_length=1), AfterValidator(ascending)
    ]
    batch_norm_samples: Annotated[int, Field(ge=2, le=10**9)]


class SpectraParams(Section):
    """What is stored of every matrix at every checkpoint.

    Attributes:
        diagonal_length: Leading entries kept of the diagonals of agreement and alignment.
        score_length: Leading entries whose mean is the agreement score or alignment score.
        mass: Share of the sum of singular values that the mass rank must exceed.
        more: Families of quantities and spectra that are measured beside those of every matrix.
    """

    diagonal_length: Count
    score_length: Count
    mass: Fraction
    more: Annotated[tuple[Family, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _score_fits(self) -> "SpectraParams":
        if self.score_length > self.diagonal_length:
            raise ValueError(
                f"score_length = {self.score_length} exceeds diagonal_length = "
                f"{self.diagonal_length}; expected at most that"
            )
        return self
