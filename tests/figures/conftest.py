"""Synthetic tables as `collect` writes them: networks that learn, and lose rank."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.quantities import ALWAYS

from specflow.frames import write_table

Row = Sequence[object]
STEPS_PER_EPOCH = 10
LABELS = ("embedding", "block 1 attention in", "block 1 attention out", "block 1 MLP in")
ON_PATHS = ("within", "validation")  # of what the table of interpolation has points
PATH = "connection relation trunks split_step scale branches"
HEADERS = {
    "steps": "experiment step epoch",
    "history": "experiment seed step split metric value",
    "matrices": "experiment matrix label role depth rows columns null_agreement",
    "pairs": "experiment pair depth null_alignment",
    "spectra": f"experiment seed step matrix {' '.join(ALWAYS)} agreement_score "
    "step_agreement_score",
    "alignment": "experiment seed step pair alignment_score",
    "singular_values": "experiment matrix step index mean std first_seed",
    "agreement_diagonal": "experiment matrix step index mean",
    "alignment_diagonal": "experiment pair step index mean first_seed",
    "pairwise_agreement": "experiment matrix step other_step agreement_score",
    "changes": "experiment step matrix relative_change cosine",
    "pruning": "experiment seed step split keep keep_fraction metric value",
    "metrics": "experiment metric label",
    "interpolation": "connection trunks split_step branches alpha keep keep_fraction metric value",
    "barriers": f"{PATH} split keep keep_fraction metric barrier",
    "endpoint_agreement": f"{PATH} matrix agreement_score",
    "endpoint_diagonal": "connection relation split_step scale matrix index mean",
    "connections": "connection experiment",
    "tickets": "ticket experiment kind density rewind_step",
    "ticket_masks": "ticket seed matrix density masked_agreement_score",
    "ticket_history": "ticket seed step split metric value",
    "ticket_spectra": "ticket seed step matrix agreement_score own_agreement_score "
    "normalized_effective_rank",
    "ticket_alignment": "ticket seed step pair alignment_score",
    "ticket_pruning": "ticket seed step split keep keep_fraction metric value",
    "samples": "samples experiment keep keep_fraction image height width channels pixels",
}

METRICS = {"loss": "loss", "error": "error"}


@dataclass
class World:
    """What the synthetic tables hold."""

    experiments: tuple[str, ...] = ("vgg",)
    checkpoints: dict[str, tuple[int, ...]] = field(default_factory=dict)  # steps of each
    connections: tuple[str, ...] = ()  # of the experiments of these names
    tickets: dict[str, tuple[str, float, int]] = field(default_factory=dict)  # of vgg
    samples: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: tuple[int, ...] = (0, 2, 5, 10, 20, 30)
    num_matrices: int = 5
    fractions: tuple[float, ...] = (0.5,)
    indices: tuple[int, ...] = (1, 2, 3, 4, 6, 9)
    in_full: bool = True
    with_pairs: bool = True
    undefined_agreement: bool = False
    splits: tuple[int, ...] = (0, 5, 20)
    across: bool = True
    scales: tuple[float, ...] = (0.5, 2.5)
    loss_baseline: float | None = None
    metrics: dict[str, dict[str, str]] = field(default_factory=dict)  # by experiment, with labels
    batch_norm: bool = False
    channels: int = 1
    num_images: int = 5
    weight_decays: dict[str, float] = field(default_factory=dict)  # that lower norm and rank
    prefix: str = ""  # of every label

    @property
    def matrices(self) -> dict[str, str]:
        labels = itertools.islice(itertools.cycle(LABELS), self.num_matrices - 1)
        named = enumerate([*labels, "output"])
        return {f"layers.{index}.weight": self.prefix + label for index, label in named}

    @property
    def pairs(self) -> list[str]:
        return [f"{a} -> {b}" for a, b in itertools.pairwise(self.matrices.values())]

    @property
    def variants(self) -> list[tuple[str, float]]:
        return [(keep, one) for keep in ("top", "bottom") for one in self.fractions]

    def rows(self) -> Iterator[tuple[str, Row]]:
        noise = np.random.default_rng(0)
        for name in self.experiments:
            yield from self._measured(name, self.seeds, self.steps, STEPS_PER_EPOCH, noise)
            yield from self._learnt(name, noise)
            for metric, label in self.metrics.get(name, METRICS).items():
                yield "metrics", (name, metric, label)
        for name, steps in self.checkpoints.items():
            yield from self._measured(name, (0,), steps, None, noise)
            for step, matrix in itertools.product(steps[1:], self.matrices):
                yield "changes", (name, step, matrix, 1 / step, 0.9)
        for name in self.connections:
            yield "connections", (name, name)
            yield from self._connected(name, noise)
        for name, (kind, density, step) in self.tickets.items():
            yield "tickets", (name, "vgg", kind, density, step)
            yield from self._retrained(name, density, step, noise)
        for name in self.samples:
            yield from self._sampled(name)

    def _measured(self, name, seeds, steps, per_epoch, noise) -> Iterator[tuple[str, Row]]:
        for depth, (matrix, label) in enumerate(self.matrices.items()):
            yield "matrices", (name, matrix, label, "", depth, 64, 32, 0.004)
        for depth, pair in enumerate(self.pairs if self.with_pairs else ()):
            yield "pairs", (name, pair, depth, 0.08 + 0.01 * depth)
        for place, step in enumerate(steps):
            yield "steps", (name, step, step / per_epoch if per_epoch else "")
            done = place / max(len(steps) - 1, 1)
            shrunk = 1 - done * (1 - 1 / (1 + 3 * self.weight_decays.get(name, 0.1)))
            for seed in seeds:
                for matrix in self.matrices:
                    values = (shrunk - 0.1 + 0.02 * noise.random() for _ in ALWAYS)
                    score = "" if self.undefined_agreement else done
                    yield "spectra", (name, seed, step, matrix, *values, score, done or "")
                for pair in self.pairs if self.with_pairs else ():
                    score = 0.1 + 0.4 * done + 0.01 * noise.random()
                    yield "alignment", (name, seed, step, pair, score)
            if self.in_full:
                yield from self._full(name, step, done, len(seeds))
        for (i, one), (j, two) in itertools.combinations_with_replacement(enumerate(steps), 2):
            for matrix in (list(self.matrices)[self.num_matrices // 2], "mean of all"):
                if self.in_full:
                    yield "pairwise_agreement", (name, matrix, one, two, 1 / (1 + j - i))

    def _full(self, name, step, done, num_seeds) -> Iterator[tuple[str, Row]]:
        for matrix in list(self.matrices)[1 : self.num_matrices // 2 + 1]:
            for index in self.indices:
                std = 0.05 / index if num_seeds > 1 else ""
                values = ((1 + done) / index, std, (2 + done) / index)
                yield "singular_values", (name, matrix, step, index, *values)
                yield "agreement_diagonal", (name, matrix, step, index, done**index)
        for pair in (self.pairs[0], self.pairs[len(self.pairs) // 2]) if self.with_pairs else ():
            for index in self.indices:
                mean = done / index
                yield "alignment_diagonal", (name, pair, step, index, mean, mean**2)

    def _learnt(self, name, noise) -> Iterator[tuple[str, Row]]:
        cells = itertools.product(enumerate(self.steps), self.seeds, ("train", "validation"))
        for (place, step), seed, split in cells:
            start = (name, seed, step, split)
            if self.loss_baseline is not None:
                yield "history", (*start, "loss_baseline", self.loss_baseline)
            for metric, size in (("loss", 5.0), ("error", 0.9)):
                value = size * np.exp(-place) * (1 + 0.05 * noise.random())
                yield "history", (*start, metric, value)
                if self.batch_norm:
                    yield "pruning", (*start, "reestimated", 1.0, metric, 0.9 * value)
                for keep, fraction in self.variants:
                    grown = value + size * (0.02 if keep == "top" else 0.1) / fraction
                    yield "pruning", (*start, keep, fraction, metric, grown)

    def _connected(self, name, noise) -> Iterator[tuple[str, Row]]:
        paths = [("within", seed, step, 0.0) for seed in (0, 1) for step in self.splits]
        paths += [
            ("perturbed", seed, self.splits[-1], one) for seed in (0, 1) for one in self.scales
        ]
        paths += [("across", "0-1", step, 0.0) for step in self.splits if self.across]
        for relation, trunks, step, scale in paths:
            start = (name, relation, trunks, step, scale, "0-1")
            joined = 0 if relation == "across" else step / (step + 20) / (1 + scale)
            for depth, matrix in enumerate(self.matrices):
                score = (joined + 0.01 * noise.random()) / (1 + depth)
                yield "endpoint_agreement", (*start, matrix, score)
                for index in self.indices if trunks in ("0", "0-1") or trunks == 0 else ():
                    diagonal = (name, relation, step, scale, matrix, index, joined**index)
                    yield "endpoint_diagonal", diagonal
            for split, (keep, fraction), metric in itertools.product(
                ("train", "validation"), [("full", 1.0), *self.variants], ("loss", "error")
            ):
                what = (split, keep, fraction, metric)
                height = (1 - joined) * (1 + 0.1 * noise.random())
                yield "barriers", (*start, *what, height)
                for alpha in (0.0, 0.5, 1.0) if (relation, split) == ON_PATHS else ():
                    value = 1 + alpha + 4 * height * alpha * (1 - alpha)
                    point = (name, trunks, step, "0-1", alpha)
                    yield "interpolation", (*point, keep, fraction, metric, value)

    def _retrained(self, name, density, rewind, noise) -> Iterator[tuple[str, Row]]:
        for seed in self.seeds:
            for matrix in list(self.matrices)[:-1]:  # the output layer has no mask
                yield "ticket_masks", (name, seed, matrix, density, 0.5 + 0.1 * noise.random())
            for step in (step for step in self.steps if step >= rewind):
                start, done = (name, seed, step), step / (max(self.steps) or 1)
                for metric in ("loss", "error"):
                    value = np.exp(-step / 10) * (1 + 0.1 * noise.random())
                    yield "ticket_history", (*start, "validation", metric, value)
                    for keep, fraction in self.variants if step in (rewind, self.steps[-1]) else ():
                        row = (*start, "validation", keep, fraction, metric, 0.1 + value)
                        yield "ticket_pruning", row
                for matrix in self.matrices:
                    score = 0.5 + 0.1 * noise.random()
                    yield "ticket_spectra", (*start, matrix, score, done, 0.6)
                for pair in self.pairs if self.with_pairs else ():
                    yield "ticket_alignment", (*start, pair, 0.3 + 0.1 * noise.random())

    def _sampled(self, name) -> Iterator[tuple[str, Row]]:
        for keep, fraction in [("full", 1.0), *self.variants]:
            for image in range(self.num_images):
                pixels = np.full((6, 6, self.channels), 100, dtype=np.uint8)
                pixels[0, 0] = image  # which image it is
                row = (keep, fraction, image, 6, 6, self.channels, pixels.tobytes().hex())
                yield "samples", (name, "vgg", *row)


@pytest.fixture
def make_tables(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the tables of a World (its keywords) and returns their folder."""

    def make(**world) -> Path:
        rows: dict[str, list[Row]] = {name: [] for name in HEADERS}
        for table, row in World(**world).rows():
            rows[table].append(row)
        for table, header in HEADERS.items():
            frame = pd.DataFrame(rows[table], columns=header.split())
            write_table(tmp_path / "tables" / f"{table}.csv", frame)
        return tmp_path / "tables"

    return make
