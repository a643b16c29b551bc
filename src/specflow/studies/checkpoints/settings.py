"""Where checkpoints made elsewhere are, how they are read, and what is measured of them."""

from specflow.checkpoints.files import FilesParams
from specflow.measure.settings import SpectraParams
from specflow.section import Text
from specflow.wiring.recognize import LayoutParams


class ReadingParams(LayoutParams, FilesParams):
    """Where checkpoints are and what their tensors are: all that reading them takes."""


class CheckpointsSettings(ReadingParams):
    """Checkpoints of one network that were made elsewhere.

    Attributes:
        spectra: What is stored of every matrix at every step.
        path: The folder in which `files` are, in the project or anywhere else; stages depend on
            it as a whole, since patterns are not known to them.
    """

    spectra: SpectraParams
    path: Text
