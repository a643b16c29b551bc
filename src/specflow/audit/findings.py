"""What an audit finds, kept as JSON (no torch)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from specflow.json_files import read_json_as, write_json
from specflow.section import Section

WHOLE_STEP = "all"

FlagKind = Literal[
    "missing",
    "extra",
    "reshaped",
    "non_finite",
    "zero",
    "quantized",
    "identical",
    "another_initialization",
    "out_of_order",
]


class Flag(Section):
    """What is wrong with a step, and what shows it, in words.

    `matrix` is the matrix or tensor; "all" if it is about the step as a whole.
    """

    step: int
    matrix: str
    flag: FlagKind
    evidence: str


class Changes(Section):
    """How one matrix changes from step to step; a value for each step, None without one.

    Attributes:
        relative_change: ||W_t - W_(t-1)|| / ||W_(t-1)||, Frobenius norms.
        cosine: <W_t, W_(t-1)> / (||W_t|| ||W_(t-1)||).
    """

    relative_change: tuple[float | None, ...]
    cosine: tuple[float | None, ...]


class Audit(Section):
    """Whether checkpoints are what they claim to be.

    Attributes:
        steps: All steps, ascending.
        flags: What is wrong, by step.
        skipped: Tensors that are not analysed, with the reason.
        notes: What could not be declared of the layout, a sentence each.
        changes: By matrix.
    """

    steps: tuple[int, ...]
    flags: tuple[Flag, ...]
    skipped: Mapping[str, str]
    notes: tuple[str, ...]
    changes: Mapping[str, Changes]


def write_audit(path: Path, audit: Audit) -> None:
    """Write an audit as JSON; missing folders are made.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    write_json(path, audit.model_dump(mode="json"))


def read_audit(path: Path) -> Audit:
    """Read what `write_audit` wrote.

    Raises:
        BrokenFileError: If there is no such file, or it is damaged or of another version.
    """
    return read_json_as(Audit, path)
