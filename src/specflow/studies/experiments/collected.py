"""What is collected of an experiment."""

from typing import Annotated

from pydantic import Field

from specflow.section import Section, Seeds

Names = Annotated[tuple[str, ...], Field(strict=False)]


class Collected(Section):
    """What is collected of an experiment.

    Attributes:
        seeds: Its seeds.
        matrices: Matrices of which single singular values and diagonals go into tables.
        pairs: Labels of pairs whose diagonals go into tables.
    """

    seeds: Seeds
    matrices: Names
    pairs: Names
