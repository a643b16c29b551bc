"""What an audit finds, kept as JSON (no torch)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

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
    """Something about a step that is not as it should be.

    Attributes:
        step: The step.
        matrix: The matrix or tensor; "all" if it is about the step as a whole.
        flag: What is wrong.
        evidence: What shows it, in words.
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

    relative_change: Annotated[tuple[float | None, ...], Field(strict=False)]
    cosine: Annotated[tuple[float | None, ...], Field(strict=False)]


class Audit(Section):
    """Whether checkpoints are what they claim to be.

    Attributes:
        steps: All steps, ascending.
        flags: What is wrong, by step.
        skipped: Tensors that are not analysed, with the reason.
        notes: What could not be declared of the layout, a sentence each.
        changes: By matrix.
    """

    steps: Annotated[tuple[int, ...], Field(strict=False)]
    flags: Annotated[tuple[Flag, ...], Field(strict=False)]
    skipped: Mapping[str, str]
    notes: Annotated[tuple[str, ...], Field(strict=False)]
    changes: Mapping[str, Changes]

    def flagged(self) -> list[int]:
        """Return every flagged step once, ascending."""
        return sorted({flag.step for flag in self.flags})


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
