"""What the stages of a connection depend on beside its runs: branches, and paths between them."""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Index, Positive, Section, Seeds, Steps, ascending
from specflow.training.settings import RunSettings

Relation = Literal["within", "across", "perturbed"]


class PerturbationParams(Section):
    """Branches from a split point whose weights were moved in a random direction.

    Attributes:
        split_step: The split point, one of the connection's; its own branches are scale 0.
        scales: Lengths of the steps, relative to the norm of each matrix.
    """

    split_step: Index
    scales: Annotated[
        tuple[Positive, ...], Field(strict=False, min_length=1), AfterValidator(ascending)
    ]


class Branches(Section):
    """All branches of a connection; interpolating more finely does not train them again.

    Attributes:
        trunk_seeds: Seeds of the trunks, a part of `seeds`.
        split_steps: Steps from which branches start, a part of the experiment's split steps.
        num_branches: Branches at each split step of each trunk, each with its own data order.
        perturbation: Branches from a perturbed split point; None means that there are none.
    """

    trunk_seeds: Seeds
    split_steps: Annotated[Steps, Field(min_length=1)]
    num_branches: Annotated[int, Field(ge=2)]
    perturbation: PerturbationParams | None


class BranchSettings(Branches):
    """What the branches of a connection depend on beside their trunks."""

    run: RunSettings
    batch_norm_samples: int


class ConnectSettings(Branches):
    """What is measured between the endpoints of a connection's branches."""

    run: ProblemSettings
    num_points: int
    across_trunks: bool
    pruning: PruningParams
    spectra: SpectraParams


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
class PathGroup:
    """Interpolation paths of one kind, measured together.

    Attributes:
        relation: Of the two endpoints of each path: within, two branches of one split point;
            across, branches of one number of two trunks; perturbed, two branches of one perturbed
            split point.
        trunk_seeds: The one trunk, or the two, ascending.
        split_step: Where the branches split.
        scale: Scale of the perturbation of the split point, 0 for none.
        numbers: Branch numbers of the endpoints of each path, or the one number of both.
    """

    relation: Relation
    trunk_seeds: tuple[int, ...]
    split_step: int
    scale: float
    numbers: tuple[tuple[int, ...], ...]

    @property
    def split_point(self) -> tuple[str, int, float]:
        """The trunks as tables and files name them, "0" or "0-1", the split step and the scale."""
        return _joined(self.trunk_seeds), self.split_step, self.scale

    @property
    def endpoints(self) -> dict[str, tuple[Branch, Branch]]:
        """The two endpoints of every path, by the branch numbers: "0-1", or "0" across trunks."""
        endpoints = {}
        for numbers in self.numbers:
            first, second = (
                Branch(seed, self.split_step, number, self.scale)
                for seed, number in product(self.trunk_seeds, numbers)
            )
            endpoints[_joined(numbers)] = first, second
        return endpoints


def branches_of(branches: Branches) -> list[Branch]:
    """Return every branch of a connection, those from perturbed split points at the end."""
    numbers = range(branches.num_branches)
    plain = product(branches.trunk_seeds, branches.split_steps, numbers)
    found = [Branch(*branch) for branch in plain]
    if (perturbed := branches.perturbation) is not None:
        starts = product(branches.trunk_seeds, perturbed.scales, numbers)
        found += [
            Branch(seed, perturbed.split_step, number, scale) for seed, scale, number in starts
        ]
    return found


def path_groups_of(branches: Branches, across_trunks: bool) -> list[PathGroup]:
    """Return every group of paths: within trunks, then across them if asked for, then perturbed."""
    pairs = tuple(combinations(range(branches.num_branches), 2))
    singles = tuple((number,) for number in range(branches.num_branches))
    seeds, steps = branches.trunk_seeds, branches.split_steps
    groups = [
        PathGroup("within", (seed,), step, 0.0, pairs) for seed, step in product(seeds, steps)
    ]
    if across_trunks:
        groups += [
            PathGroup("across", trunks, step, 0.0, singles)
            for trunks, step in product(combinations(seeds, 2), steps)
        ]
    if (perturbed := branches.perturbation) is not None:
        groups += [
            PathGroup("perturbed", (seed,), perturbed.split_step, scale, pairs)
            for seed, scale in product(seeds, perturbed.scales)
        ]
    return groups


def _joined(numbers: tuple[int, ...]) -> str:
    return "-".join(map(str, numbers))
