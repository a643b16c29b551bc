"""Made-up runs of all kinds that honest trainings are like, of several tensors of any scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

State = dict[str, Tensor]
SHAPES = ((20, 16), (40, 30), (24,), (12, 50))


@dataclass
class _Run:
    """What a kind of run is made of: time, noise, and where the weights are."""

    random: np.random.Generator
    count: int
    size: float  # of a step, of the weights' own
    period: int

    def noise(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self.random.normal(size=weight.shape) for weight in weights]

    def phase(self, time: int) -> float:
        """1 at a restart of the learning rate, 0 at the end of its cycle."""
        return 0.5 * (1 + np.cos(np.pi * (time % self.period) / (self.period - 1)))


def _walk(run: _Run, rate: Callable[[int], float]) -> list[list[np.ndarray]]:
    """Independent steps, each `rate` times as large."""
    weights = run.noise([np.empty(shape) for shape in SHAPES])
    steps = []
    for time in range(run.count):
        steps.append(weights)
        size = run.size * rate(time)
        weights = [w + size * e for w, e in zip(weights, run.noise(weights), strict=True)]
    return steps


def _with_drift(run: _Run, steps: list[list[np.ndarray]], size: float) -> list[list[np.ndarray]]:
    drift = run.noise(steps[0])
    return [
        [w + size * run.size * t * d for w, d in zip(weights, drift, strict=True)]
        for t, weights in enumerate(steps)
    ]


def _with_noise(
    run: _Run, steps: list[list[np.ndarray]], size: Callable[[int], float]
) -> list[list[np.ndarray]]:
    return [
        [w + run.size * size(t) * e for w, e in zip(weights, run.noise(weights), strict=True)]
        for t, weights in enumerate(steps)
    ]


def _correlated(run: _Run) -> list[list[np.ndarray]]:
    """Noise around a minimum that the weights come to, each step's like the one before."""
    minimum = run.noise([np.empty(shape) for shape in SHAPES])
    noise, steps = run.noise(minimum), []
    for time in range(run.count):
        way = 1 - np.exp(-(time + 1) / 5)
        steps.append([way * m + run.size * n for m, n in zip(minimum, noise, strict=True)])
        fresh = zip(noise, run.noise(noise), strict=True)
        noise = [0.7 * old + np.sqrt(1 - 0.7**2) * new for old, new in fresh]
    return steps


def _decaying(run: _Run) -> list[list[np.ndarray]]:
    steps = _walk(run, lambda time: 1.0)
    decay = 0.9 ** np.arange(run.count)
    start = steps[0]
    return [
        [w - s + d * s for w, s in zip(weights, start, strict=True)]
        for d, weights in zip(decay, steps, strict=True)
    ]


def _frozen(run: _Run) -> list[list[np.ndarray]]:
    return [[weights[0], *run_start[1:]] for weights, run_start in _beside_start(run)]


def _beside_start(run: _Run) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    steps = _walk(run, lambda time: 0.2)
    return [(weights, steps[0]) for weights in steps]


def _sparse(run: _Run) -> list[list[np.ndarray]]:
    """Of the second tensor, only a third of the rows change at a time."""
    steps = _walk(run, lambda time: 1.0)
    table = steps[0][1]
    for time, weights in enumerate(steps):
        weights[1] = table
        rows = run.random.random(len(table)) < 1 / 3
        change = run.random.normal(size=table.shape) * rows[:, None]
        table = table + run.size * change * (time < run.count)
    return steps


def _stationary(run: _Run) -> list[list[np.ndarray]]:
    return _with_noise(run, _walk(run, lambda time: 0.0), lambda time: 1.0)


# Told: faults are found. The others are honest, and hide what is done to them in their noise.
TOLD: dict[str, Callable[[_Run], list[list[np.ndarray]]]] = {
    "random walk": lambda run: _walk(run, lambda time: 1.0),
    "walk with drift": lambda run: _with_drift(run, _walk(run, lambda time: 1.0), 1.0),
    "slowing": lambda run: _walk(run, lambda time: float(np.exp(-time / 6))),
    "cyclic rate": lambda run: _walk(run, lambda time: 0.3 + run.phase(time)),
    "log-spaced": lambda run: _walk(run, lambda time: 0.02 * 2 ** (min(time, 20) / 2)),
    "weight decay": _decaying,
    "first step far": lambda run: _walk(run, lambda time: 20.0 if time == 0 else 1.0),
    "mostly frozen": _frozen,
    "sparse updates": _sparse,
    "warm-up": lambda run: _walk(run, lambda time: min((time + 1) / 5, 1.0)),
}
NOISY: dict[str, Callable[[_Run], list[list[np.ndarray]]]] = {
    "drift in noise": lambda run: _with_noise(
        run, _with_drift(run, _walk(run, lambda time: 0.0), 0.5), lambda time: 1.0
    ),
    "around a minimum": _correlated,
    "restarts": lambda run: _with_noise(run, _walk(run, lambda t: 0.5), lambda t: 5 * run.phase(t)),
    "annealed": lambda run: _with_noise(
        run, _walk(run, lambda time: 0.5), lambda time: 5 * float(np.exp(-time / 5))
    ),
    "stationary": _stationary,
}
KINDS = TOLD | NOISY


def turning_over(kept: Callable[[int], float], seed: int) -> list[State]:
    """A run of 4 to 30 steps of one size; each has a cosine `kept` with the one before."""
    run = _unlike(seed)
    weights, steps = run.noise([np.empty(shape) for shape in SHAPES]), []
    for time in range(run.count):
        steps.append(weights)
        share = kept(time)
        fresh = zip(weights, run.noise(weights), strict=True)
        weights = [share * w + np.sqrt(1 - share**2) * e for w, e in fresh]
    return _states(run.random, steps)


def large_steps(size: float, seed: int) -> list[State]:
    """A random walk of 4 to 30 steps, each `size` times as large as the weights at its start."""
    run = _unlike(seed)
    return _states(run.random, _walk(run, lambda time: size))


def learned(share: float, kept: float, drift: float, seed: int) -> list[State]:
    """A run of 4 to 30 steps that forgets its start in one interval, and keeps what it learns.

    Args:
        share: Of the squared norm after the first step, that of what is learned; the rest is noise.
        kept: Cosine of the noise with that of the step before.
        drift: How far what is learned goes on in an interval, of its norm.
        seed: Of all numbers.
    """
    run = _unlike(seed)
    start, signal, way, noise = (run.noise([np.empty(shape) for shape in SHAPES]) for _ in range(4))
    steps = [start]
    for time in range(1, run.count):
        fresh = zip(noise, run.noise(noise), strict=True)
        noise = [kept * old + np.sqrt(1 - kept**2) * new for old, new in fresh]
        parts = zip(signal, way, noise, strict=True)
        steps.append(
            [np.sqrt(share) * (s + drift * time * w) + np.sqrt(1 - share) * n for s, w, n in parts]
        )
    return _states(run.random, steps)


def faster_at_last(rates: Sequence[float], seed: int) -> list[State]:
    """A run of equal parts that are forgotten at rates of their own, nine times as fast at last."""
    run = _unlike(seed)
    parts = [run.noise([np.empty(shape) for shape in SHAPES]) for _ in rates]
    steps = []
    for time in range(run.count):
        steps.append([sum(weights) for weights in zip(*parts, strict=True)])
        faster = 9.0 if time == run.count - 2 else 1.0
        for number, rate in enumerate(rates):
            kept = np.exp(-rate * faster)
            fresh = zip(parts[number], run.noise(parts[number]), strict=True)
            parts[number] = [kept * w + np.sqrt(1 - kept**2) * e for w, e in fresh]
    return _states(run.random, steps)


def _unlike(seed: int) -> _Run:
    random = np.random.default_rng(seed)
    return _Run(random, int(random.integers(4, 31)), 1.0, 4)


def made_up(kind: str, seed: int, count: int | None = None) -> list[State]:
    """A run of 4 to 40 steps."""
    random = np.random.default_rng([seed, *kind.encode()])
    count = int(random.integers(4, 41)) if count is None else count
    run = _Run(random, count, float(random.choice([0.02, 0.1, 0.3])), int(random.integers(3, 8)))
    return _states(random, KINDS[kind](run))


def _states(random: np.random.Generator, steps: list[list[np.ndarray]]) -> list[State]:
    """Return steps as state dicts, each tensor of a scale of its own."""
    scales = 10.0 ** random.uniform(-2, 1, size=len(SHAPES))
    return [
        {
            f"layers.{number}.weight": torch.tensor(scale * weight, dtype=torch.float32)
            for number, (scale, weight) in enumerate(zip(scales, weights, strict=True))
        }
        for weights in steps
    ]
