"""What is collected of checkpoints made elsewhere."""

from specflow.section import Section


class Collected(Section):
    """What is collected of checkpoints.

    Attributes:
        matrix: Name of the matrix whose singular values and diagonals go into tables; None means
            the middle one by depth.
        pair: Label of the pair whose diagonals do; None likewise.
    """

    matrix: str | None
    pair: str | None
