"""The error of everything that is wrong with checkpoints made elsewhere."""

from specflow.errors import SpecflowError


class SuiteError(SpecflowError):
    """A checkpoint or a suite that cannot be read as declared: one line, the file first."""
