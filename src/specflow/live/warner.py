"""Warnings of a watch, which name its file and the line of the training that called it."""

import sys
import warnings
from pathlib import Path


class Warner:
    """What tells a training that not all is as expected."""

    def __init__(self, path: Path) -> None:
        """Speak of the file of a watch."""
        self._path, self._said = path, set[str]()

    def __call__(self, message: str) -> None:
        """Warn."""
        frame, level = sys._getframe(1), 2
        while frame.f_back and frame.f_globals.get("__name__", "").startswith("specflow."):
            frame, level = frame.f_back, level + 1
        warnings.warn(f"specflow.watch: {self._path}: {message}", stacklevel=level)

    def once(self, about: str, message: str) -> None:
        """Warn, unless that has been done about this."""
        if about not in self._said:
            self._said.add(about)
            self(message)
