"""What claims find their subjects in: the tables, and which experiments are compared."""

from dataclasses import dataclass

from specflow.frames import Tables
from specflow.section import Name, Section
from specflow.studies.comparisons import Groups


class GrokkingRoles(Section):
    """The experiments that the claims on grokking compare; None where there is no such run.

    Attributes:
        no_decay: Few data, no weight decay.
        decay: The same with weight decay.
        most_data: The same as no_decay with most of the data.
    """

    no_decay: Name | None = None
    decay: Name | None = None
    most_data: Name | None = None


@dataclass(frozen=True)
class Evidence:
    """What claims find their subjects in.

    Attributes:
        tables: The tables.
        groups: Which experiments differ in weight decay, or in labels, alone.
        roles: Which experiments the claims on grokking compare.
    """

    tables: Tables
    groups: Groups
    roles: GrokkingRoles

    @property
    def experiments(self) -> list[str]:
        """All experiments but those that only stand beside the base of a series."""
        names = self.tables["history"]["experiment"].unique()
        return [name for name in names if name not in self.groups.variants]
