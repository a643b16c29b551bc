"""What the stages of a connection depend on beside its runs: branches, and paths between them."""

from itertools import combinations, product
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Index, Positive, Section, Seeds, Steps, ascending
from specflow.training.settings import RunSettings


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
    num_branches: Annotated[int, Field(ge=2, le=1000)]
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
    """One branch: its trunk, the step from which it goes on, and its data order."""

    trunk_seed: int
    split_step: int
    number: int  # of its data order, from 0
    scale: float = 0.0  # of the perturbation of its split point, 0 for none


class PathGroup(NamedTuple):
    """Interpolation paths of one kind, measured together.

    Attributes:
        relation: Of the two endpoints of each path: within, two branches of one split point;
            across, branches of one number of two trunks; perturbed, two branches of one perturbed
            split point.
        split_point: The trunk or the two as tables and files name them ("0" or "0-1"), the split
            step, and the scale of the perturbation.
        endpoints: Those of every path, by the branch numbers: "0-1", or "0" across trunks.
    """

    relation: str
    split_point: tuple[str, int, float]
    endpoints: dict[str, tuple[Branch, Branch]]


def branches_of(branches: Branches) -> list[Branch]:
    """Return every branch of a connection, those from perturbed split points at the end."""
    return [
        Branch(seed, step, number, scale)
        for seed, step, scale in (*_split_points(branches), *_perturbed_points(branches))
        for number in range(branches.num_branches)
    ]


def path_groups_of(branches: Branches, across_trunks: bool) -> list[PathGroup]:
    """Return every group of paths: within trunks, then across them if asked for, then perturbed."""
    numbers = range(branches.num_branches)

    def within(seed: int, step: int, scale: float) -> PathGroup:
        endpoints = {
            f"{first}-{second}": (
                Branch(seed, step, first, scale),
                Branch(seed, step, second, scale),
            )
            for first, second in combinations(numbers, 2)
        }
        relation = "perturbed" if scale else "within"
        return PathGroup(relation, (str(seed), step, scale), endpoints)

    def across(first: int, second: int, step: int) -> PathGroup:
        endpoints = {
            str(number): (Branch(first, step, number), Branch(second, step, number))
            for number in numbers
        }
        return PathGroup("across", (f"{first}-{second}", step, 0.0), endpoints)

    pairs_of_trunks = combinations(branches.trunk_seeds, 2) if across_trunks else ()
    return [
        *(within(*point) for point in _split_points(branches)),
        *(across(*pair, step) for pair, step in product(pairs_of_trunks, branches.split_steps)),
        *(within(*point) for point in _perturbed_points(branches)),
    ]


def _split_points(branches: Branches) -> list[tuple[int, int, float]]:
    """Return trunk, step and scale 0 of the split points of the trunks."""
    return list(product(branches.trunk_seeds, branches.split_steps, (0.0,)))


def _perturbed_points(branches: Branches) -> list[tuple[int, int, float]]:
    perturbed = branches.perturbation
    if perturbed is None:
        return []
    return list(product(branches.trunk_seeds, (perturbed.split_step,), perturbed.scales))
