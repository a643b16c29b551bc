"""Training and every measurement work on an LSTM, whose matrices are stacked gates."""

import hashlib

import numpy as np
import pytest
from specflow.params.speech import SpokenDigitsParams
from specflow.params.tasks import RunParams, SpectraParams
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory

from specflow import paths
from specflow.datasets.storage import write_dataset
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of

HIDDEN = 6
DATASET = SpokenDigitsParams(
    kind="spoken_digits",
    num_train=12,
    num_validation=5,
    num_digits=(1, 2),
    train_voices=2,
    validation_voices=1,
    noise=(10.0, 30.0),
    logarithm=True,
    seed=0,
)


def write_random_speech(path):
    """Random frames and transcripts of all lengths, so that no synthesizer is needed."""
    generator = np.random.default_rng(0)
    with write_dataset(path, DATASET) as writer:
        for split, count in (("train", DATASET.num_train), ("validation", DATASET.num_validation)):
            lengths = generator.integers(8, 13, count)
            symbols = generator.integers(1, 29, (count, 4))
            counts = generator.integers(1, 5, count)
            frames = generator.normal(size=(count, 12, 40)).astype(np.float32)
            frames *= (np.arange(12) < lengths[:, None])[..., None]
            writer.append(split, "inputs", frames)
            writer.append(split, "input_lengths", lengths)
            writer.append(split, "targets", symbols * (np.arange(4) < counts[:, None]))
            writer.append(split, "target_lengths", counts)


@pytest.fixture
def speech_run(workplace):
    write_random_speech(paths.dataset("speech"))
    return RunParams.model_validate(
        {
            "problem": {"kind": "ctc"},
            "experiment": "speech",
            "dataset_name": "speech",
            "dataset": DATASET,
            "seeds": [0],
            "model": {"kind": "lstm", "num_layers": 2, "hidden": HIDDEN, "bidirectional": True},
            "optimizer": {
                "kind": "adamw",
                "learning_rate": 0.01,
                "betas": [0.9, 0.999],
                "weight_decay": 0.1,
            },
            "schedule": {"kind": "constant", "warmup_steps": 0},
            "batch_size": 5,
            "accumulation_steps": 2,
            "num_epochs": 2,
            "gradient_clip": 1.0,
            "precision": "float32",
            "checkpoints": {
                "first_epoch_points": 0,
                "spacing": {"kind": "every", "epochs": 1},
                "split_steps": [3],
            },
            "evaluation": {"batch_size": 4, "max_train_samples": None},
        }
    )


def train(run, name):
    path = paths.trajectory(name, 0)
    train_members([Member(name, run, 0, 0, path, run.kept_steps)], "train")
    return path


def test_training_gives_the_same_bytes_twice_and_lowers_the_loss(speech_run):
    digests = {
        hashlib.sha256(train(speech_run, name).read_bytes()).hexdigest() for name in ("a", "b")
    }
    assert len(digests) == 1
    with open_trajectory(paths.trajectory("a", 0)) as kept:
        metrics = kept.metrics()
    assert set(metrics) == {
        f"{split}/{name}"
        for split in ("train", "validation")
        for name in ("loss", "error", "word_error")
    }
    assert metrics["train/loss"][-1] < metrics["train/loss"][0]


def test_alignment_of_every_pair_is_that_of_the_g_gates(speech_run):
    """Gates are cut with `split`, halves with their column numbers; g is the third gate."""
    params = SpectraParams(diagonal_length=4, score_length=3, mass=0.9)
    trajectory, target = train(speech_run, "speech"), paths.spectra("speech", 0)
    wiring = wiring_of(speech_run.model, DATASET.shape)
    measure_spectra(SpectraJob(trajectory, target, wiring, params), lambda done: None, workers=1)
    with open_trajectory(trajectory) as kept:
        weights = {n: w.astype(np.float64) for n, w in kept.weights(-1).items() if w.ndim > 1}
    with open_file(target, SPECTRA) as file:
        assert set(file["matrices"]) == set(weights)
        found = {label: pair["alignment"][-1] for label, pair in file["pairs"].items()}

    def gate(kind, layer, suffix):
        return np.split(weights[f"lstm.weight_{kind}_l{layer}{suffix}"], 4)[2]

    expected = {}
    for suffix, word, start in (("", "", 0), ("_reverse", "reverse ", HIDDEN)):
        half = slice(start, start + HIDDEN)
        for layer in range(2):
            name = f"layer {layer + 1} {word}"
            above, label = (
                (gate("ih", 1, suffix)[:, half], f"layer 2 {word}input")
                if layer == 0
                else (weights["output.weight"][:, half], "output")
            )
            inputs, hiddens = gate("ih", layer, suffix), gate("hh", layer, suffix)
            expected[f"{name}input -> {name}hidden"] = (inputs, hiddens)
            expected[f"{name}input -> {label}"] = (inputs, above)
            expected[f"{name}hidden -> {label}"] = (hiddens, above)
    assert set(found) == set(expected)
    for label, (previous, following) in expected.items():
        U, Vh = np.linalg.svd(previous)[0], np.linalg.svd(following)[2]
        diagonal = [abs(Vh[i] @ U[:, i]) for i in range(4)]
        assert found[label] == pytest.approx(diagonal, abs=1e-4), label
