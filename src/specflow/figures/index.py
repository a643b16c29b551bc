"""Which figures there are: the one list of their files, kinds and subjects."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from specflow.section import Name, Section
from specflow.textfiles import write_text

BATCH_NORM = (
    "BatchNorm statistics: running averages of the full model, re-estimated for pruned ones"
)
NOTES = dict.fromkeys(("losses", "problems_pruning", "weight_decay", "samples"), BATCH_NORM)


class FigureEntry(Section):
    """One figure.

    Attributes:
        file: Name of its PNG file in the folder of figures; the file knows the title.
        kind: What is drawn.
        subject: Of what: an experiment, a connection, ...; None means the whole project.
    """

    file: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.png$")]
    kind: Name
    subject: Name | None

    @classmethod
    def of(cls, kind: str, subject: str | None = None) -> "FigureEntry":
        """Return the entry of a figure: KIND_SUBJECT.png, or KIND.png of the whole project."""
        name = kind if subject is None else f"{kind}_{subject}"
        return cls(file=f"{name}.png", kind=kind, subject=subject)

    @property
    def note(self) -> str:
        """What a reader of figures of this kind must know beside the title; may be empty."""
        return NOTES.get(self.kind, "")


def write_index(path: Path, entries: Iterable[FigureEntry]) -> None:
    """Write the list of all figures as JSON.

    Args:
        path: Where to; missing folders are made.
        entries: The figures, in the order in which they were drawn.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    content = [entry.model_dump(mode="json") for entry in entries]
    write_text(path, json.dumps(content, indent=2) + "\n")
