"""What an audit finds, kept as JSON (no torch)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from specflow.errors import SpecflowError
from specflow.section import Section
from specflow.textfiles import write_text

WHOLE_STEP = "all"

FlagKind = Literal[
    "missing",
    "extra",
    "reshaped",
    "non_finite",
    "zero",
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
    write_text(path, json.dumps(audit.model_dump(mode="json"), indent=1) + "\n")


def read_audit(path: Path) -> Audit:
    """Read what `write_audit` wrote.

    Raises:
        SpecflowError: If there is no such file, or it is damaged or of another version.
    """
    if not path.is_file():
        raise SpecflowError(f"there is no audit {path}; measuring the checkpoints writes it")
    try:
        return Audit.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SpecflowError(f"{path} is no audit: {error.errors()[0]['msg']}") from error
