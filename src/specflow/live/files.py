"""Which rows a kind has."""

from pathlib import Path

from specflow.live.kinds import Kind
from specflow.live.leading import LeadingRows
from specflow.live.rows import Rows
from specflow.live.settings import SPECTRA
from specflow.live.whole import WholeRows
from specflow.wiring import Wiring


def rows_for(kind: Kind, target: Path, wiring: Wiring) -> Rows:
    """Return the rows of a kind of what a watch measures, whose own file is `target`.

    Raises:
        SpecflowError: If the rows there, or the file, are of something else.
    """
    place = kind.place(target)
    if kind == Kind.LEADING:
        return LeadingRows(place, wiring)
    return WholeRows(place, wiring, SPECTRA)
