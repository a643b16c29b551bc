"""The branches of a connection, and the lines that are measured between their ends, as data."""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal, NamedTuple

from specflow.params.resolve import BranchParams

Relation = Literal["within", "across", "perturbed"]


class Branch(NamedTuple):
    """One branch.

    Attributes:
        trunk_seed: Seed of its trunk.
        split_step: The step from which it goes on.
        number: Number of its data order, from 0.
        scale: Scale of the perturbation of its split point, 0 for none.
    """

    trunk_seed: int
    split_step: int
    number: int
    scale: float = 0.0


@dataclass(frozen=True)
class LineGroup:
    """Lines of one kind, measured together.

    Attributes:
        relation: Of the two ends of each line: within, two branches of one split point; across,
            branches of one number of two trunks; perturbed, two branches of one perturbed split
            point.
        trunk_seeds: The one trunk, or the two, ascending.
        split_step: Where the branches split.
        scale: Scale of the perturbation of the split point, 0 for none.
        numbers: Branch numbers of the ends of each line, or the one number of both.
    """

    relation: Relation
    trunk_seeds: tuple[int, ...]
    split_step: int
    scale: float
    numbers: tuple[tuple[int, ...], ...]

    @property
    def trunks(self) -> str:
        """The trunks as tables and files name them, "0" or "0-1"."""
        return _joined(self.trunk_seeds)

    @property
    def lines(self) -> dict[str, tuple[Branch, Branch]]:
        """The two ends of every line, by the branch numbers: "0-1", or "0" across trunks."""
        lines = {}
        for numbers in self.numbers:
            first, second = (
                Branch(seed, self.split_step, number, self.scale)
                for seed, number in product(self.trunk_seeds, numbers)
            )
            lines[_joined(numbers)] = first, second
        return lines


def branches_of(params: BranchParams) -> list[Branch]:
    """Return every branch of a connection, those from perturbed split points at the end."""
    numbers = range(params.num_branches)
    plain = product(params.trunk_seeds, params.split_steps, numbers)
    branches = [Branch(*branch) for branch in plain]
    if (perturbed := params.perturbation) is not None:
        starts = product(params.trunk_seeds, perturbed.scales, numbers)
        branches += [
            Branch(seed, perturbed.split_step, number, scale) for seed, scale, number in starts
        ]
    return branches


def line_groups_of(params: BranchParams, across_trunks: bool) -> list[LineGroup]:
    """Return every group of lines of a connection: within, then across, then perturbed.

    Args:
        params: The branches.
        across_trunks: Whether there are lines between trunks.
    """
    pairs = tuple(combinations(range(params.num_branches), 2))
    singles = tuple((number,) for number in range(params.num_branches))
    groups = [
        LineGroup("within", (seed,), step, 0.0, pairs)
        for seed, step in product(params.trunk_seeds, params.split_steps)
    ]
    if across_trunks:
        groups += [
            LineGroup("across", trunks, step, 0.0, singles)
            for trunks, step in product(combinations(params.trunk_seeds, 2), params.split_steps)
        ]
    if (perturbed := params.perturbation) is not None:
        groups += [
            LineGroup("perturbed", (seed,), perturbed.split_step, scale, pairs)
            for seed, scale in product(params.trunk_seeds, perturbed.scales)
        ]
    return groups


def _joined(numbers: tuple[int, ...]) -> str:
    return "-".join(map(str, numbers))
