"""Spectra and pruned weights of a full-width VGG-16: the engine against one SVD for each use.

At each of five checkpoints: singular values, ranks and agreement with the final checkpoint of every
matrix, alignment of every neighbouring pair (leading 100 singular vectors), and every matrix but
the last with the top and with the bottom half of its spectrum kept. The naive side calls float32
`torch.linalg.svd` once for each use, as published code does: one per matrix, two per neighbouring
pair, two per pruned matrix, with torch's own number of threads. The engine decomposes each matrix
once; then, for comparison, twice, as the separate stages for spectra and for pruning do. All take
turns in one process, and the results must agree.

Beside other work the naive side can take many minutes: past a budget no further checkpoint is timed
on any side, and the times of all five are scaled up from those that were.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

from specflow import spectra
from specflow.interventions.svd_pruning import Keep, SpectrumPruner
from specflow.spectra import Decomposition
from specflow.spectra.side_by_side import map_matrices
from specflow.threads import one_thread

CHECKPOINTS = 5
COUNT = 100
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
SHAPES: dict[str, tuple[int, ...]] = {
    f"conv {i}": (b, a, 3, 3) for i, (a, b) in enumerate(pairwise(CHANNELS), start=1)
} | {"output": (10, 512)}
KERNELS = {name: shape[2:] or (1, 1) for name, shape in SHAPES.items()}
PAIRS = tuple(pairwise(SHAPES))
PRUNED = tuple(SHAPES)[:-1]
RANKS = (spectra.effective_rank, spectra.stable_rank, spectra.mass_rank, spectra.gini)
KEEPS: tuple[Keep, Keep] = ("top", "bottom")
AIM = 20
BUDGET_S = 120
# float32 SVDs leave singular vectors this uncertain where gaps are narrow.
TOLERANCE = 1e-3

K = TypeVar("K")
Weights = dict[str, Tensor]
Decompositions = dict[str, Decomposition]
Halves = dict[str, dict[Keep, Tensor]]


@dataclass
class Results:
    """What is measured at one checkpoint, by matrix, pair, or matrix and half kept."""

    values: Weights
    ranks: Weights
    agreement: Weights
    alignment: dict[tuple[str, str], Tensor]
    pruned: dict[tuple[str, Keep], Tensor]


class Engine:
    """This library, on all cores."""

    def __init__(self, together: bool) -> None:
        """Decompose each matrix once, or twice as the stages for spectra and for pruning do."""
        self._together = together
        self._workers = torch.get_num_threads()
        self._final: Decompositions = {}

    def measure(self, weights: Weights) -> Results:
        """Return the results of a checkpoint; the final checkpoint comes first."""
        factors, halves = (self._once if self._together else self._twice)(weights)
        self._final = self._final or factors
        with one_thread():
            return Results(
                {name: factors[name].S for name in SHAPES},
                {name: _ranks(factors[name].S) for name in SHAPES},
                {name: _agreement(factors[name], self._final[name]) for name in SHAPES},
                {(a, b): _alignment(factors[a], factors[b], KERNELS[b]) for a, b in PAIRS},
                {(name, keep): half for name in PRUNED for keep, half in halves[name].items()},
            )

    def _once(self, weights: Weights) -> tuple[Decompositions, Halves]:
        both = map_matrices(_factors_and_halves, weights, self._workers)
        return {name: both[name][0] for name in both}, {name: both[name][1] for name in both}

    def _twice(self, weights: Weights) -> tuple[Decompositions, Halves]:
        factors = spectra.decompose_all(weights, COUNT, self._workers)
        pruned = {name: weights[name] for name in PRUNED}
        return factors, map_matrices(
            lambda _, weight: _halves(SpectrumPruner(weight)), pruned, self._workers
        )


class Naive:
    """One float32 SVD for each use."""

    def __init__(self) -> None:
        """Start without a final checkpoint."""
        self._final: Decompositions = {}

    def measure(self, weights: Weights) -> Results:
        """Return the results of a checkpoint; the final checkpoint comes first."""
        factors = {name: _svd(weight) for name, weight in weights.items()}
        self._final = self._final or factors
        return Results(
            {name: factors[name].S for name in SHAPES},
            {name: _ranks(factors[name].S) for name in SHAPES},
            {name: _agreement(factors[name], self._final[name]) for name in SHAPES},
            {(a, b): _alignment(_svd(weights[a]), _svd(weights[b]), KERNELS[b]) for a, b in PAIRS},
            {(name, keep): _naive_half(weights[name], keep) for name in PRUNED for keep in KEEPS},
        )


def _factors_and_halves(name: str, weight: Tensor) -> tuple[Decomposition, dict[Keep, Tensor]]:
    if name not in PRUNED:
        return spectra.decompose(weight, COUNT), {}
    pruner = SpectrumPruner(weight)
    return spectra.decompose(weight, COUNT, pruner.side), _halves(pruner)


def _halves(pruner: SpectrumPruner) -> dict[Keep, Tensor]:
    return {keep: pruner.keep(0.5, keep) for keep in KEEPS}


def _naive_half(weight: Tensor, keep: Keep) -> Tensor:
    U, S, Vh = _svd(weight)
    half = math.ceil(len(S) / 2)
    kept = slice(half) if keep == "top" else slice(half, None)
    return ((U[:, kept] * S[kept]) @ Vh[kept]).reshape(weight.shape)


def _svd(weight: Tensor) -> Decomposition:
    return Decomposition(*torch.linalg.svd(spectra.as_matrix(weight), full_matrices=False))


def _leading(factors: Decomposition) -> Decomposition:
    return Decomposition(factors.U[:, :COUNT], factors.S, factors.Vh[:COUNT])


def _agreement(factors: Decomposition, final: Decomposition) -> Tensor:
    return spectra.singular_vector_agreement(_leading(factors), _leading(final)).diagonal()


def _alignment(
    previous: Decomposition, following: Decomposition, kernel: tuple[int, ...]
) -> Tensor:
    return spectra.alignment(_leading(previous), _leading(following), kernel=kernel).diagonal()


def _ranks(S: Tensor) -> Tensor:
    return torch.stack([measure(S) for measure in RANKS])


def checkpoints() -> list[Weights]:
    """Return weights that start random and grow twenty leading directions, as training does."""
    generator = torch.Generator().manual_seed(0)
    series: list[Weights] = [{} for _ in range(CHECKPOINTS)]
    for name, shape in SHAPES.items():
        rows, columns = shape[0], math.prod(shape[1:])
        rank = min(20, rows, columns)
        start = torch.randn(rows, columns, generator=generator) / columns**0.5
        left = torch.linalg.qr(torch.randn(rows, rank, generator=generator)).Q
        right = torch.linalg.qr(torch.randn(columns, rank, generator=generator)).Q
        growth = (left * torch.linspace(3, 1, rank)) @ right.mT
        for step, weights in enumerate(series):
            weights[name] = (start + step * growth).reshape(shape)
    return series


def worst_differences(ours: Results, theirs: Results) -> dict[str, float]:
    """Return the largest difference of each quantity, relative where it has a unit.

    Agreement and alignment count in the first ten directions, whose gaps float32 resolves.
    """
    return {
        "singular values / s_1": _worst(ours.values, theirs.values, lambda a, b: (a - b) / b[0]),
        "ranks": _worst(ours.ranks, theirs.ranks, lambda a, b: (a - b) / b),
        "agreement": _worst(ours.agreement, theirs.agreement, lambda a, b: (a - b)[:10]),
        "alignment": _worst(ours.alignment, theirs.alignment, lambda a, b: (a - b)[:10]),
        "pruned weights": _worst(
            ours.pruned, theirs.pruned, lambda a, b: (a - b).norm() / b.norm()
        ),
    }


def _worst(
    ours: Mapping[K, Tensor],
    theirs: Mapping[K, Tensor],
    difference: Callable[[Tensor, Tensor], Tensor],
) -> float:
    return max(float(difference(ours[key], theirs[key]).abs().max()) for key in ours)


class Clock:
    """A side and the seconds that it has taken."""

    def __init__(self, measure: Callable[[Weights], Results]) -> None:
        """Start at zero."""
        self._measure = measure
        self.seconds = 0.0
        self.calls = 0

    def __call__(self, weights: Weights) -> Results:
        """Measure a checkpoint against the clock."""
        start = time.perf_counter()
        results = self._measure(weights)
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return results

    def __str__(self) -> str:
        scaled = "" if self.calls == CHECKPOINTS else f" (scaled up from {self.calls})"
        return f"{self.seconds * CHECKPOINTS / self.calls:.1f} s{scaled}"


def main() -> None:
    """Measure the final checkpoint, then the others, and print times, ratios and differences."""
    once, twice = Clock(Engine(together=True).measure), Clock(Engine(together=False).measure)
    naive = Clock(Naive().measure)
    differences = []
    for weights in reversed(checkpoints()):
        found, expected = (once(weights), twice(weights)), naive(weights)
        differences += [worst_differences(results, expected) for results in found]
        if naive.seconds > BUDGET_S:
            break
    print(f"VGG-16, spectra and pruned weights of {CHECKPOINTS} checkpoints")
    print(f"  one float32 SVD for each use: {naive}")
    for how, engine in (("together", once), ("apart", twice)):
        ratio = naive.seconds / engine.seconds
        print(f"  engine, spectra and pruning {how}: {engine}, ratio {ratio:.1f} (aim: {AIM})")
    for quantity in differences[0]:
        worst = max(results[quantity] for results in differences)
        print(f"  largest difference in {quantity}: {worst:.1e}")
        assert worst < TOLERANCE, f"the sides differ by {worst} in {quantity}"


if __name__ == "__main__":
    main()
