"""What of a network is copied at a step, and where what is made of it lies."""

from enum import Enum
from pathlib import Path


class Kind(Enum):
    """What is copied of each tensor.

    Attributes:
        prefix: What stands before the names of numbers of what is made of it.
    """

    WEIGHTS = "weights"
    GRADIENTS = "gradients"
    UPDATES = "updates"  # the weights before the step, of which its change is made

    def of(self, name: str) -> str:
        """Return what a copy is called."""
        return f"{self.value} {name}"

    def place(self, target: Path) -> Path:
        """Return the place of its file of spectra: `run.h5`, `run.gradients.h5`."""
        if self == Kind.WEIGHTS:
            return target
        return target.with_name(f"{target.stem}.{self.value}{target.suffix}")

    @property
    def prefix(self) -> str:
        """What stands before the names of numbers of what is made of it."""
        return {"weights": "", "gradients": "gradient_", "updates": "update_"}[self.value]


def checkpoint_of(target: Path, step: int) -> Path:
    """Return the place of the weights of a step, where they are stored."""
    return target.with_name(f"{target.name}.weights") / f"step{step:09d}.safetensors"
