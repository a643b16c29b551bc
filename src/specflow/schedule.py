"""Which stage runs next, and with how many cores: from what each took before."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specflow.textfiles import write_text

# Core seconds of a stage until one of its kind has run: what trains comes first.
GUESSES = {"train": 300, "branch": 300, "retrain": 300, "spectra": 60, "prune": 60, "connect": 60}
GUESS = 10
WAITING = 16  # stages side by side whose members are on a cluster: each takes memory here


@dataclass
class History:
    """What is remembered of earlier runs.

    Attributes:
        seconds: Core seconds that each stage took; all of its seconds where it ran on a GPU.
        new: Stages that were not in dvc.lock when a run began that did not end well.
        settings: What each stage computed, of which speeds are: its settings, without hashes.
        devices: What each stage could compute on: cpu or cuda.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "History":
        """Return what a file tells; nothing if it cannot be read, since it is only for speed."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        """Write it to a file."""
        write_text(path, json.dumps(vars(self), indent=1))

    def weight(self, name: str) -> float:
        """Return the core seconds that a stage will take: as last time, or as those of its kind."""
        if name in self.seconds:
            return max(self.seconds[name], 0.1)
        kind = name.partition("@")[0]
        alike = [value for other, value in self.seconds.items() if other.partition("@")[0] == kind]
        return sum(alike) / len(alike) if alike else GUESSES.get(kind, GUESS)


def path_lengths(
    names: Sequence[str], upstream: Mapping[str, Iterable[str]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Return for every stage, each after its upstream, the weight of the longest path from it."""
    lengths = dict(weights)
    for name in reversed(names):
        for needed in upstream[name]:
            lengths[needed] = max(lengths[needed], weights[needed] + lengths[name])
    return lengths


def share_of_cores(weight: float, beside: float, cores: int, jobs: int) -> int:
    """Return how many cores a stage gets: its share of the work that can go on beside it.

    It is rounded up from a tenth, so that no core idles while a stage trains its last seeds.

    Args:
        weight: Work of the stage.
        beside: Work of the stages that neither wait for it nor it for them.
        cores: All cores.
        jobs: How many stages run side by side at most.
    """
    share = max(weight / (weight + beside), 1 / jobs)
    return max(math.ceil(cores * share - 0.1), 1)
