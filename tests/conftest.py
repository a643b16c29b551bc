import os
from pathlib import Path

import numpy as np
import pytest
import torch

from specflow import datasets, paths
from specflow.datasets.storage import write_dataset
from specflow.params.datasets import DigitsParams, ModularAdditionParams
from specflow.params.tasks import RunParams

torch.set_num_threads(1)
os.environ.pop("DVC_ROOT", None)

MEASURES = {
    "schedule": {"kind": "constant", "warmup_steps": 2},
    "accumulation_steps": 1,
    "gradient_clip": None,
    "precision": "float32",
    "evaluation": {"batch_size": 64, "max_train_samples": None},
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as the working folder, with the CPU as device."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECFLOW_DEVICE", "cpu")
    monkeypatch.setenv("SPECFLOW_WORKERS", "1")
    return tmp_path


@pytest.fixture
def addition_run(workplace: Path) -> RunParams:
    """A tiny run on modular addition in shuffled batches, its data prepared."""
    dataset = ModularAdditionParams(kind="modular_addition", modulus=7, train_fraction=0.6, seed=0)
    datasets.prepare(dataset, paths.dataset("addition"))
    return RunParams.model_validate(
        MEASURES
        | {
            "problem": {"kind": "classification"},
            "experiment": "addition",
            "dataset_name": "addition",
            "dataset": dataset,
            "seeds": [0, 1],
            "model": {
                "kind": "transformer",
                "num_blocks": 1,
                "d_model": 8,
                "num_heads": 2,
                "d_mlp": 16,
                "norm": "none",
            },
            "optimizer": {
                "kind": "adamw",
                "learning_rate": 0.01,
                "betas": [0.9, 0.98],
                "weight_decay": 0.1,
            },
            "batch_size": 8,
            "num_epochs": 4,
            "checkpoints": {
                "first_epoch_points": 1,
                "spacing": {"kind": "every", "epochs": 1},
                "split_steps": [0, 2, 8],
            },
        }
    )


@pytest.fixture
def digits_run(workplace: Path) -> RunParams:
    """A tiny run of a network with BatchNorm on few digits, its data prepared."""
    dataset = DigitsParams(kind="digits", image_size=32, validation_fraction=0.96, seed=0)
    datasets.prepare(dataset, paths.dataset("digits"))
    return RunParams.model_validate(
        MEASURES
        | {
            "problem": {"kind": "classification"},
            "experiment": "digits",
            "dataset_name": "digits",
            "dataset": dataset,
            "seeds": [0],
            "model": {"kind": "vgg", "depth": 11, "width": 1},
            "optimizer": {
                "kind": "sgd",
                "learning_rate": 0.05,
                "momentum": 0.9,
                "weight_decay": 0.0,
            },
            "batch_size": 100,
            "num_epochs": 2,
            "checkpoints": {
                "first_epoch_points": 0,
                "spacing": {"kind": "every", "epochs": 1},
                "split_steps": [0, 2],
            },
            "evaluation": {
                "batch_size": 1000,
                "max_train_samples": 100,
            },
        }
    )


@pytest.fixture
def diffusion_run(workplace: Path) -> RunParams:
    """A tiny run of a noise-prediction UNet on 200 random images, 40 more to validate on."""
    dataset = DigitsParams(kind="digits", image_size=28, validation_fraction=0.96, seed=0)
    images = np.random.default_rng(0).normal(size=(240, 1, 28, 28)).astype(np.float32)
    with write_dataset(paths.dataset("images"), dataset) as writer:
        writer.append("train", "inputs", images[:200])
        writer.append("validation", "inputs", images[200:])
    return RunParams.model_validate(
        MEASURES
        | {
            "problem": {
                "kind": "diffusion",
                "num_steps": 20,
                "beta_start": 1e-3,
                "beta_end": 0.2,
                "sigmoid_range": 6.0,
            },
            "experiment": "images",
            "dataset_name": "images",
            "dataset": dataset,
            "seeds": [0],
            "model": {
                "kind": "unet",
                "channels": [4, 8, 8, 12],
                "embedding_width": 6,
                "fourier_scale": 30.0,
            },
            "optimizer": {
                "kind": "adamw",
                "learning_rate": 0.01,
                "betas": [0.9, 0.999],
                "weight_decay": 0.1,
            },
            "batch_size": 40,
            "num_epochs": 2,
            "checkpoints": {
                "first_epoch_points": 1,
                "spacing": {"kind": "every", "epochs": 1},
                "split_steps": [0, 2, 5],
            },
        }
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, saying so."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device; there is none"))
