"""What of a network is measured at a step, and where what is made of it lies."""

from enum import Enum
from pathlib import Path


class Kind(Enum):
    """What is measured of each matrix."""

    WEIGHTS = "weights"
    GRADIENTS = "gradients"
    UPDATES = "updates"  # of it the weights before the step are copied, of which its change is made
    LEADING = "leading"  # the first singular values and vectors of the weights

    @property
    def copied(self) -> "Kind":
        """What copies it is made of."""
        return Kind.WEIGHTS if self == Kind.LEADING else self

    def of(self, name: str) -> str:
        """Return what a copy is called."""
        return f"{self.copied.value} {name}"

    def place(self, target: Path) -> Path:
        """Return the place of its file: `run.h5`, `run.gradients.h5`."""
        if self == Kind.WEIGHTS:
            return target
        return target.with_name(f"{target.stem}.{self.value}{target.suffix}")

    @property
    def prefix(self) -> str:
        """What stands before the names of its numbers."""
        return _PREFIXES[self]


_PREFIXES = {
    Kind.WEIGHTS: "",
    Kind.GRADIENTS: "gradient_",
    Kind.UPDATES: "update_",
    Kind.LEADING: "leading_",
}


def checkpoint_of(target: Path, step: int) -> Path:
    """Return the place of the weights of a step, where they are stored."""
    return target.with_name(f"{target.name}.weights") / f"step{step:09d}.safetensors"
