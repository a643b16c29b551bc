"""The page of a training that is watched, as its file of spectra grows."""

import time
from collections.abc import Iterator
from pathlib import Path

from specflow.analysis import page_of
from specflow.scratch import state_of

_OFTEN = 1.0  # seconds between two looks at the file
_RARELY = 4  # times as long as the page takes passes until it is written again


def write_pages(spectra: Path, output: Path) -> Iterator[Path]:
    """Write the page of a file of spectra, and again each time that it has grown, without end.

    Args:
        spectra: The file.
        output: Folder of all that is written; made if missing.

    Yields:
        The place of the page, each time it is there.

    Raises:
        SpecflowError: As for `page_of`.
    """
    while True:
        began, state = time.monotonic(), state_of(spectra)
        page_of(spectra, output)
        yield output / "index.html"
        due = began + (1 + _RARELY) * (time.monotonic() - began)
        while state_of(spectra) == state or time.monotonic() < due:
            time.sleep(_OFTEN)
