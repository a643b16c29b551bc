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
        for place, taker in sorted(self.taken().items()):
            if taker == task:
                yield self._member(place, task)
        while left := sorted(int(name) for name in os.listdir(self._members) if name.isdecimal()):
            own = self._members / f"{left[0]}-{task}"
            with suppress(FileNotFoundError):  # another one was faster
                (self._members / str(left[0])).rename(own)
            if own.exists():
                yield self._member(left[0], task)

    def taken(self) -> dict[int, int]:
        """Return which task has taken each member that is taken, by the member's place."""
        try:
            names = os.listdir(self._members)
        except OSError:  # removed, or not to be read at the moment
            return {}
        pairs = (name.split("-") for name in names if "-" in name)
        return {int(place): int(task) for place, task in pairs}

    def log(self, task: int) -> Path:
        """Return where a task writes what it says."""
        return self.path / f"{task}.log"

    def _member(self, place: int, task: int) -> Folder:
        return Folder(Path((self._members / f"{place}-{task}").read_text()))

    @property
    def _members(self) -> Path:
        return self.path / "members"
