"""Synthetic tables as `collect` writes them: a known network that learns, forgets nothing."""

import csv
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

Row = Sequence[object]
NUM_VALUES = 16
STEPS_PER_EPOCH = 10

LINE = "connection relation trunks split_step split_epoch scale branches"
HEADERS = {
    "history": "experiment seed step epoch split metric value",
    "spectra": "experiment seed step epoch matrix effective_rank normalized_effective_rank "
    "mass_rank stable_rank gini frobenius_norm agreement_score",
    "alignment": "experiment seed step epoch pair alignment_score",
    "singular_values": "experiment matrix step epoch index mean std",
    "agreement_diagonal": "experiment matrix step epoch index mean",
    "alignment_diagonal": "experiment pair step epoch index mean",
    "pruning": "experiment seed step epoch split keep keep_fraction metric value",
    "interpolation": f"{LINE} alpha split keep keep_fraction metric value",
    "barriers": f"{LINE} split keep keep_fraction metric barrier",
    "end_agreement": f"{LINE} matrix agreement_score",
    "matrices": "experiment matrix label depth rows columns null_agreement",
    "pairs": "experiment pair depth null_alignment",
    "connections": "connection experiment",
    "tickets": "ticket experiment kind density rewind_step",
    "ticket_masks": "ticket seed matrix density masked_agreement_score",
    "ticket_history": "ticket seed step epoch split metric value",
    "ticket_spectra": "ticket seed step epoch matrix agreement_score normalized_effective_rank",
    "samples": "samples experiment keep keep_fraction image height width channels pixels",
    "suite_matrices": "suite matrix label depth parameter rows columns null_agreement",
    "suite_pairs": "suite pair depth null_alignment",
    "suite_spectra": "suite step matrix normalized_effective_rank agreement_score "
    "step_agreement_score",
    "suite_alignment": "suite step pair alignment_score",
    "suite_singular_values": "suite matrix step index value",
    "suite_agreement": "suite matrix step other_step agreement_score",
}


def checkpoint_steps(num: int) -> list[int]:
    """Step 0, some in the first epoch, then an even spacing."""
    first = [0, 1, 2, 5]
    return (first + [STEPS_PER_EPOCH * n for n in range(1, num)])[:num]


@dataclass
class World:
    """What the synthetic tables hold."""

    experiments: tuple[str, ...] = ("grokking", "grokking_no_decay", "digits_vgg")
    connections: dict[str, str] = field(default_factory=lambda: {"digits_vgg": "digits_vgg"})
    seeds: tuple[int, ...] = (0, 1, 2)
    num_checkpoints: int = 30
    num_matrices: int = 8
    fractions: tuple[float, ...] = (0.5,)
    num_values: int = NUM_VALUES
    undefined_agreement: bool = False
    splits: tuple[int, ...] = (0, 5, 30, 150)
    across: bool = True
    scales: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0, 2.5)
    tickets: dict[str, tuple[str, str, float, int]] = field(default_factory=dict)
    loss_baseline: float | None = None
    samples: tuple[str, ...] = ()
    suites: dict[str, tuple[int, ...]] = field(default_factory=dict)  # steps of each
    suite_pairs: bool = True
    channels: int = 1
    num_images: int = 16
    weight_decays: dict[str, float] = field(default_factory=dict)  # that lower norm and rank
    random_labels: tuple[str, ...] = ()  # experiments that memorize

    def label(self, index: int) -> str:
        names = ["embedding", "block 1 attention in", "block 1 attention out", "block 1 MLP in"]
        names += ["block 1 MLP out", "conv 6", "linear 7", "output"]
        return names[index] if index < len(names) else f"linear {index}"

    def matrix(self, index: int) -> str:
        return f"layers.{index}.weight"

    def pair(self, index: int) -> str:
        return f"{self.label(index)} -> {self.label(index + 1)}"


def _rows_of_experiment(world: World, name: str) -> Iterable[tuple[str, Row]]:
    noise = np.random.default_rng(abs(hash_of(name)))
    late = name not in ("grokking_no_decay", *world.random_labels)
    for index in range(world.num_matrices):
        yield "matrices", (name, world.matrix(index), world.label(index), index, 64, 32, 0.004)
    for index in range(world.num_matrices - 1):
        yield "pairs", (name, world.pair(index), index, 0.08 + 0.01 * index)
    steps = checkpoint_steps(world.num_checkpoints)
    for step in steps:
        done = step / steps[-1] if steps[-1] else 0.0
        when = (step, step / STEPS_PER_EPOCH)
        for seed in world.seeds:
            yield from _learning(world, name, seed, when, done, late, noise)
            yield from _spectra(world, name, seed, when, done, late, noise)
        yield from _diagonals(world, name, when, done, late)


def hash_of(name: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31


def _learning(world, name, seed, when, done, late, noise) -> Iterable[tuple[str, Row]]:
    variants = [("full", 1.0)] + [(k, f) for f in world.fractions for k in ("top", "bottom")]
    for split in ("train", "validation"):
        if world.loss_baseline is not None:
            yield "history", (name, seed, *when, split, "loss_baseline", world.loss_baseline)
        midpoint = 0.1 if split == "train" else (0.6 if late else 5.0)
        for keep, fraction in variants:
            shift = {"full": 0, "top": 0.03 / fraction, "bottom": 1.5 / fraction}[keep]
            learnt = 1 / (1 + np.exp(-30 * (done - midpoint - shift + 0.02 * noise.normal())))
            values = {"loss": 5 * np.exp(-9 * learnt) * np.exp(0.1 * noise.normal())}
            values["error"] = 0.9 * (1 - learnt)
            for metric, value in values.items():
                row = (split, keep, fraction, metric, value)
                yield "pruning", (name, seed, *when, *row)
                if keep == "full":
                    yield "history", (name, seed, *when, split, metric, value)


def _spectra(world, name, seed, when, done, late, noise) -> Iterable[tuple[str, Row]]:
    shrunk = 1 / (1 + 3 * world.weight_decays.get(name, 0.0))
    for index in range(world.num_matrices):
        rank = 0.95 - (0.6 if late else 0.1) * done * (index + 3) / world.num_matrices / 1.4
        rank = rank * (1 - done * (1 - shrunk)) + 0.01 * noise.normal()
        agreement: object = round(0.004 + 0.996 * done ** (1 + index / 3), 5)
        if world.undefined_agreement:
            agreement = ""
        norm = 10.0 * (1 - done * (1 - shrunk)) + 0.3 * noise.normal()
        row = (rank * 32, rank, 0.5, 4.0, 0.3, norm, agreement)
        yield "spectra", (name, seed, *when, world.matrix(index), *row)
    for index in range(world.num_matrices - 1):
        score = 0.08 + 0.3 * done * late * np.exp(-index) + 0.01 * noise.normal()
        yield "alignment", (name, seed, *when, world.pair(index), abs(score))


def _diagonals(world, name, when, done, late) -> Iterable[tuple[str, Row]]:
    for matrix in {world.matrix(1), world.matrix(world.num_matrices // 2)}:
        for i in range(world.num_values):
            growth = 6 * np.exp(-5 * i / world.num_values) * done**1.5
            value = (1 - i / world.num_values) * (1 - (0.5 if late else 0) * done) + growth
            yield "singular_values", (name, matrix, *when, i + 1, value, 0.05 * value)
            settled = done ** (0.2 + 3 * i / world.num_values)
            yield "agreement_diagonal", (name, matrix, *when, i + 1, settled)
    for pair in {world.pair(0), world.pair((world.num_matrices - 1) // 2)}:
        for i in range(world.num_values):
            peak = np.exp(-(((i / world.num_values) - 0.8 * (1 - done)) ** 2) / 0.02)
            value = 0.08 + (0.5 if late else 0.05) * done * peak
            yield "alignment_diagonal", (name, pair, *when, i + 1, value)


def _lines(world: World) -> Iterable[tuple[str, str, int, float, str]]:
    for seed in world.seeds[:2]:
        yield from (("within", str(seed), step, 0.0, "0-1") for step in world.splits)
        last = world.splits[-1]
        yield from (("perturbed", str(seed), last, scale, "0-1") for scale in world.scales)
    if world.across:
        yield from (("across", "0-1", step, 0.0, n) for step in world.splits for n in "01")


def _rows_of_connection(world: World, name: str) -> Iterable[tuple[str, Row]]:
    yield "connections", (name, world.connections[name])
    noise = np.random.default_rng(7)
    variants = [("full", 1.0)] + [(k, f) for f in world.fractions for k in ("top", "bottom")]
    for relation, trunks, step, scale, branches in _lines(world):
        where = (name, relation, trunks, step, step / STEPS_PER_EPOCH, scale, branches)
        joined = 0 if relation == "across" else step / (step + 20) / (1 + 2 * scale)
        for index in range(world.num_matrices):
            score = 0.004 + 0.9 * joined * np.exp(-index / 8) * (1 + 0.1 * noise.random())
            yield "end_agreement", (*where, world.matrix(index), score)
        for split, (keep, fraction) in (
            (split, variant) for split in ("train", "validation") for variant in variants
        ):
            base = {"full": 0.05, "top": 0.08, "bottom": 2.2}[keep]
            for metric, size in (("loss", 2.2), ("error", 0.8)):
                height = size * (1 - joined) * (0.1 if keep == "bottom" else 1)
                height += 0.02 * size * noise.normal()
                what = (split, keep, fraction, metric)
                yield "barriers", (*where, *what, height)
                for alpha in np.linspace(0, 1, 11):
                    value = base * size / 2.2 + 4 * height * alpha * (1 - alpha)
                    row = (*where, round(float(alpha), 3), *what, value)
                    yield "interpolation", row


def _rows_of_ticket(world: World, name: str) -> Iterable[tuple[str, Row]]:
    experiment, kind, density, rewind_step = world.tickets[name]
    yield "tickets", (name, experiment, kind, density, rewind_step)
    noise = np.random.default_rng(hash_of(name))
    strength = {"magnitude": 0.9, "random": 0.15, "reinitialized": 0.9}[kind] * density**0.1
    for seed, index in ((s, i) for s in world.seeds for i in range(world.num_matrices - 1)):
        kept = strength * (1 - 0.03 * index) * (1 + 0.02 * noise.normal())
        yield "ticket_masks", (name, seed, world.matrix(index), density, kept)
    steps = [s for s in checkpoint_steps(world.num_checkpoints) if s >= rewind_step]
    for seed, step in ((seed, step) for seed in world.seeds for step in steps):
        done = (step - rewind_step) / max(steps[-1], 1)
        when = (seed, step, step / STEPS_PER_EPOCH)
        learnt = np.exp(-(3 if kind == "magnitude" else 1) * done + 0.02 * noise.normal())
        for split, metric in ((s, m) for s in ("train", "validation") for m in ("loss", "error")):
            value = 5 * learnt if metric == "loss" else 0.9 * learnt
            yield "ticket_history", (name, *when, split, metric, value)
        for index in range(world.num_matrices):
            score = (0.7 if kind == "magnitude" else 0.05) * (1 - 0.3 * done)
            rank: object = "" if density < 0.01 else 0.6 - 0.2 * done
            yield "ticket_spectra", (name, *when, world.matrix(index), score, rank)


def _rows_of_samples(world: World, name: str) -> Iterable[tuple[str, Row]]:
    noise = np.random.default_rng(3)
    variants = [("full", 1.0)] + [(k, f) for k in ("top", "bottom") for f in world.fractions]
    y, x = np.mgrid[:28, :28][..., None]
    for keep, fraction in variants:
        for image in range(world.num_images):
            radius = np.hypot(x - 14, y - 14) - 4 - image / 3
            ring = np.repeat(255 * np.exp(-(radius**2) / 6), world.channels, axis=2)
            grain = 255 * noise.random(ring.shape)
            level = ring if keep == "full" else 0.8 * ring + 0.2 * grain
            pixels = (grain if keep == "bottom" else level).astype(np.uint8)
            pixels[0, 0] = image  # which image it is, for tests
            row = (keep, fraction, image, 28, 28, world.channels, pixels.tobytes().hex())
            yield "samples", (name, "digits_vgg", *row)


def _rows_of_suite(world: World, name: str) -> Iterable[tuple[str, Row]]:
    steps = world.suites[name]
    for index in range(world.num_matrices):
        label, matrix = world.label(index), world.matrix(index)
        yield "suite_matrices", (name, matrix, label, index, matrix, 64, 32, 0.004)
        for place, step in enumerate(steps):
            done = place / max(len(steps) - 1, 1)
            before: object = "" if place == 0 else 0.5 + 0.5 * done
            row = (0.9 - 0.5 * done * index / world.num_matrices, done, before)
            yield "suite_spectra", (name, step, matrix, *row)
    if world.suite_pairs:
        for index in range(world.num_matrices - 1):
            yield "suite_pairs", (name, world.pair(index), index, 0.08)
            for step in steps:
                yield "suite_alignment", (name, step, world.pair(index), 0.1 + 0.05 * index)
    for i, j in itertools.combinations_with_replacement(range(len(steps)), 2):
        for matrix in (world.matrix(1), "mean of all"):
            yield "suite_agreement", (name, matrix, steps[i], steps[j], 1 / (1 + j - i))
    for step in steps:
        for i in range(world.num_values):
            value = (1 - i / world.num_values) * (1 + step / max(steps[-1], 1))
            yield "suite_singular_values", (name, world.matrix(1), step, i + 1, value)


@pytest.fixture
def make_tables(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the tables of a World (its keywords) and returns their folder."""

    def make(**world_settings) -> Path:
        world = World(**world_settings)
        rows: dict[str, list[Row]] = {name: [] for name in HEADERS}
        for name in world.experiments:
            for table, row in _rows_of_experiment(world, name):
                rows[table].append(row)
        for name in world.connections:
            for table, row in _rows_of_connection(world, name):
                rows[table].append(row)
        for name in world.tickets:
            for table, row in _rows_of_ticket(world, name):
                rows[table].append(row)
        for name in world.suites:
            for table, row in _rows_of_suite(world, name):
                rows[table].append(row)
        for name in world.samples:
            for table, row in _rows_of_samples(world, name):
                rows[table].append(row)
        folder = tmp_path / "tables"
        folder.mkdir(exist_ok=True)
        for table, header in HEADERS.items():
            with (folder / f"{table}.csv").open("w", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(header.split())
                writer.writerows([_short(cell) for cell in row] for row in rows[table])
        return folder

    return make


def _short(cell: object) -> object:
    return f"{cell:.5g}" if isinstance(cell, float) else cell
