"""Every pair of a two-block language model against a slow version written from METHODS."""

from pathlib import Path

import numpy as np
import pytest
from specflow.params.tasks import RunParams, SpectraParams
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory

from specflow import datasets, paths
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of

WIDTH, HEADS = 16, 4


@pytest.fixture
def run(workplace: Path) -> RunParams:
    """A tiny language model with both its blocks, its data prepared."""
    run = RunParams.model_validate(
        {
            "problem": {"kind": "language_modelling"},
            "experiment": "language",
            "dataset_name": "text",
            "dataset": {
                "kind": "reference_text",
                "tokenizer": {"kind": "byte_pairs", "num_tokens": 300},
                "length": 16,
                "num_train_sequences": 64,
                "num_validation_sequences": 8,
                "validation_fraction": 0.1,
                "seed": 0,
            },
            "seeds": [0],
            "model": {
                "kind": "transformer",
                "num_blocks": 2,
                "d_model": WIDTH,
                "num_heads": HEADS,
                "d_mlp": 24,
                "norm": "layer",
            },
            "optimizer": {
                "kind": "adamw",
                "learning_rate": 1e-2,
                "betas": [0.9, 0.95],
                "weight_decay": 0.1,
            },
            "schedule": {"kind": "constant", "warmup_steps": 2},
            "batch_size": 32,
            "accumulation_steps": 2,
            "num_epochs": 4,
            "gradient_clip": 1.0,
            "precision": "float32",
            "checkpoints": {
                "first_epoch_points": 0,
                "spacing": {"kind": "every", "epochs": 4},
                "split_steps": [],
            },
            "evaluation": {"batch_size": 8, "max_train_samples": 8},
        }
    )
    datasets.prepare(run.dataset, paths.dataset("text"))
    return run


def left(weight: np.ndarray) -> np.ndarray:
    return np.linalg.svd(weight.astype(np.float64), full_matrices=False)[0]


def right(weight: np.ndarray) -> np.ndarray:
    return np.linalg.svd(weight.astype(np.float64), full_matrices=False)[2].T


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return |<a_i, b_i>| of the leading columns."""
    count = min(first.shape[1], second.shape[1], 5)
    return abs((first[:, :count] * second[:, :count]).sum(axis=0))


def expected_pairs(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the diagonal of every pair, from METHODS."""
    into, expected = {}, {}
    for block in (1, 2):
        prefix = f"blocks.{block - 1}."
        qkv = weights[prefix + "self_attn.in_proj_weight"]
        query, key, value = qkv[:WIDTH], qkv[WIDTH : 2 * WIDTH], qkv[2 * WIDTH :]
        size = WIDTH // HEADS
        heads = [slice(head * size, (head + 1) * size) for head in range(HEADS)]
        name = f"block {block}"
        expected[f"{name} query -> {name} key"] = np.mean(
            [overlap(left(query[head]), left(key[head])) for head in heads], axis=0
        )
        out = weights[prefix + "self_attn.out_proj.weight"]
        mlp_in, mlp_out = weights[prefix + "linear1.weight"], weights[prefix + "linear2.weight"]
        expected[f"{name} value -> {name} attention out"] = overlap(left(value), right(out))
        expected[f"{name} attention out -> {name} MLP in"] = overlap(left(out), right(mlp_in))
        expected[f"{name} MLP in -> {name} MLP out"] = overlap(left(mlp_in), right(mlp_out))
        into[block] = (right(qkv), left(mlp_out))
    embedding = right(weights["embedding.weight"])
    expected["embedding -> block 1 attention in"] = overlap(embedding, into[1][0])
    expected["block 1 MLP out -> block 2 attention in"] = overlap(into[1][1], into[2][0])
    output = right(weights["output.weight"])
    expected["block 2 MLP out -> output"] = overlap(into[2][1], output)
    return expected


def test_every_pair_of_two_blocks_matches_naive_and_the_loss_falls(run: RunParams) -> None:
    source, target = paths.trajectory("language", 0), paths.spectra("language", 0)
    train_members([Member("m", run, 0, 0, source, run.kept_steps)], "train")
    params = SpectraParams(diagonal_length=5, score_length=3, mass=0.9)
    wiring = wiring_of(run.model, run.dataset.shape)
    measure_spectra(SpectraJob(source, target, wiring, params), print, workers=1)
    with open_trajectory(source) as trajectory, open_file(target, SPECTRA) as file:
        for index in range(len(trajectory.steps)):
            expected = expected_pairs(dict(trajectory.weights(index)))
            assert set(file["pairs"]) == set(expected)
            for label, diagonal in expected.items():
                found = file["pairs"][label]["alignment"][index]
                assert found == pytest.approx(diagonal, abs=1e-4), label
        losses = trajectory.metrics()["validation/loss"]
    assert losses[-1] < losses[0] - 0.5
