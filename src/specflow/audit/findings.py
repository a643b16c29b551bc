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
    "empty",
    "non_finite",
    "zero",
    "quantized",
    "identical",
    "of_another_step",
    "altered",
    "another_initialization",
    "out_of_order",
]


class Flag(Section):
    """What is wrong with a step, and what shows it, in words.

    `tensor` is its name; the first names where a fault is that of several, the evidence says of
    how many; "all" if it is about the step as a whole.
    """

    step: int
    tensor: str
    flag: FlagKind
    evidence: str


class Changes(Section):
    """How one tensor changes from step to step; a value for each step, None without one.

    Both are those of the entries that the audit samples: see `scan.scan_tensor`.

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
        tensors: How many tensors were looked at.
        flags: What is wrong, by step.
        frozen: Tensors in floating point that are the same, bit by bit, at all of several steps.
        skipped: Tensors that are not analysed, with the reason.
        notes: What could not be declared of the layout, and what the audit cannot tell, a sentence
            each.
        analysed: What was found of the network and what share of it is analysed, a sentence each.
        changes: By matrix, those of the tensor that it is, or is a part of.
        of_one_run: Whether all steps were compared with each other and are related.
        in_order: Whether, besides, they lie in their order so clearly that an exchange would show.
    """

    steps: tuple[int, ...]
    tensors: int
    flags: tuple[Flag, ...]
    frozen: tuple[str, ...]
    skipped: Mapping[str, str]
    notes: tuple[str, ...]
    analysed: tuple[str, ...]
    changes: Mapping[str, Changes]
    of_one_run: bool = False
    in_order: bool = False

    @property
    def told(self) -> str:
        """What weights tell of the steps together, the end of a sentence; nothing of one step."""
        if len(self.steps) < 2:
            return ""
        if self.in_order:
            return ", of one run and in order"
        if self.of_one_run:
            return ", of one run; their order cannot be told"
        return "; whether they are of one run, and in order, cannot be told"


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
