"""Which files a suite has, and the step of each."""

from dataclasses import dataclass
from pathlib import Path

from specflow.params.suites import SuiteParams


@dataclass(frozen=True)
class SuiteStep:
    """One step of a suite.

    Attributes:
        step: The step.
        path: Its file: what `open_checkpoint` takes.
        index: Number of the kept step if the file is a trajectory, else None.
    """

    step: int
    path: Path
    index: int | None


def find_steps(params: SuiteParams, root: Path) -> list[SuiteStep]:
    """Return all steps of a suite, ascending.

    Args:
        params: Files, and where their steps are.
        root: The folder that paths and patterns are relative to.

    Returns:
        One entry a step.

    Raises:
        SuiteError: If a pattern matches nothing, a step cannot be told, or two files have one.
    """
    raise NotImplementedError
