"""What the members of an array and its tasks share: each task takes the next that none has taken.

So a process that has started runs member after member, and what it took to start is paid once.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from specflow import paths
from specflow.executor.slurm.members import Folder
from specflow.textfiles import write_text


@dataclass(frozen=True)
class Array:
    """An array on the shared folder, beside the logs of its tasks.

    A member is a file `members/PLACE` that names its folder. The task that takes it renames that
    to `PLACE-TASK`, in which only one succeeds.
    """

    path: Path

    @classmethod
    def named(cls, name: str) -> "Array":
        """Return the array of a name, of the project here."""
        return cls(paths.cluster_root() / name)

    @property
    def name(self) -> str:
        """What SLURM knows it by."""
        return self.path.name

    def put(self, members: Iterable[Folder]) -> None:
        """Write down its members.

        Raises:
            SpecflowError: If they cannot be written.
        """
        for place, member in enumerate(members):
            write_text(self._members / str(place), str(member.path))

    def take(self, task: int) -> Iterator[Folder]:
        """Yield members, each once nobody else can take it, until none is left.

        First what the task has taken before, if it is started again.
        """
        had: set[int] = set()
        tried: set[int] = set()  # a listing may be of a moment ago
        while True:
            takers = sorted(self.takers().items())
            own = [place for place, taker in takers if taker == task and place not in had]
            free = [place for place, taker in takers if taker is None and place not in tried]
            if own:
                had.add(own[0])
                yield Folder(Path((self._members / f"{own[0]}-{task}").read_text()))
            elif free:
                tried.add(free[0])
                with suppress(FileNotFoundError):  # another one was faster
                    (self._members / str(free[0])).rename(self._members / f"{free[0]}-{task}")
            else:
                return

    def takers(self) -> dict[int, int | None]:
        """Return which task has taken each member, by its place; None if none has.

        Raises:
            OSError: If the folder cannot be read.
        """
        names = (name.partition("-") for name in os.listdir(self._members))
        return {int(place): int(task) if task else None for place, _, task in names}

    def log(self, task: int) -> Path:
        """Return where a task writes what it says."""
        return self.path / f"{task}.log"

    @property
    def _members(self) -> Path:
        return self.path / "members"
