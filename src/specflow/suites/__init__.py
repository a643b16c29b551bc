"""Checkpoints made elsewhere: reading them, and the matrices and neighbours that they hold."""

from specflow.suites.checkpoint import CheckpointFile, TensorInfo
from specflow.suites.errors import SuiteError
from specflow.suites.files import open_checkpoint
from specflow.suites.layout import wiring_of
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.sources import SuiteStep, find_steps
from specflow.suites.wiring import SuiteMeeting, SuitePair, SuiteWiring

__all__ = [
    "CheckpointFile",
    "SuiteError",
    "SuiteMatrix",
    "SuiteMeeting",
    "SuitePair",
    "SuiteStep",
    "SuiteWiring",
    "TensorInfo",
    "find_steps",
    "open_checkpoint",
    "wiring_of",
]
