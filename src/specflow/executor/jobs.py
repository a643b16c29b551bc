"""What a job must tell of itself to be sent to another machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # it imports torch, and stages begin without
    from specflow.scratch import Work


class MemberJob(Protocol):
    """A job that can be sent to another machine."""

    @property
    def work(self) -> "Work":
        """What determines the result."""

    @property
    def target(self) -> Path:
        """The file that is there, whole, when the job is done."""


Member = TypeVar("Member", bound=MemberJob)
