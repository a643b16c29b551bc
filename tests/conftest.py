import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.checkpoints.web import Web
from threadpoolctl import threadpool_limits

from specflow import paths
from specflow.checkpoints.remote import http as web_client
from specflow.checkpoints.remote.http import Patience
from specflow.datasets.dataset import DatasetSection
from specflow.datasets.digits import DigitsParams
from specflow.datasets.images import write_images
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import write_dataset
from specflow.training.settings import RunSettings

torch.set_num_threads(1)
threadpool_limits(1, user_api="blas")  # tests run side by side, and their products are small
os.environ.pop("DVC_ROOT", None)

ADAMW = {"kind": "adamw", "learning_rate": 0.01, "betas": [0.9, 0.98], "weight_decay": 0.1}
TRAINING = {
    "problem": {"kind": "classification"},
    "optimizer": ADAMW,
    "schedule": {"kind": "constant", "warmup_steps": 2},
    "accumulation_steps": 1,
    "num_epochs": 2,
    "gradient_clip": None,
    "precision": "float32",
    "evaluation": {"batch_size": 64, "max_train_samples": None},
    "seeds": [0],
}
MODELS = {
    "transformer": {"num_blocks": 1, "d_model": 8, "num_heads": 2, "d_mlp": 16, "norm": "none"},
    "vgg": {"depth": 11, "width": 1},
    "unet": {"channels": [4, 8, 8, 12], "embedding_width": 6, "fourier_scale": 30.0},
}


def plan(points: int, *split_steps: int) -> dict:
    spacing = {"kind": "every", "epochs": 1}
    return {"first_epoch_points": points, "spacing": spacing, "split_steps": split_steps}


def settings(name: str, dataset: DatasetSection, model: str, **changes: object) -> RunSettings:
    resolved = {
        "experiment": name,
        "dataset_name": name,
        "shape": dataset.shape,
        "num_train": dataset.num_train,
        "model": {"kind": model, **MODELS[model]},
    }
    return RunSettings.model_validate(TRAINING | resolved | changes)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as the working folder, with the CPU as device."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECFLOW_DEVICE", "cpu")
    monkeypatch.setenv("SPECFLOW_WORKERS", "1")
    return tmp_path


@pytest.fixture
def addition_run(workplace: Path) -> RunSettings:
    """A tiny run on modular addition in shuffled batches, its data prepared."""
    dataset = ModularAdditionParams(kind="modular_addition", modulus=7, train_fraction=0.6, seed=0)
    dataset.prepare(paths.dataset("addition"))
    changes = {"seeds": [0, 1], "batch_size": 8, "num_epochs": 4, "checkpoints": plan(1, 0, 2, 8)}
    return settings("addition", dataset, "transformer", **changes)


@pytest.fixture
def digits_run(workplace: Path) -> RunSettings:
    """A tiny run of a network with BatchNorm on 200 digits, 200 more to validate on."""
    dataset = DigitsParams(kind="digits", image_size=32, validation_fraction=0.96, seed=0)
    images, targets = dataset.read()
    train, validation = dataset.split(targets)
    with write_dataset(paths.dataset("digits"), dataset) as writer:
        write_images(dataset, writer, images, targets, (train, validation[:200]))
    return settings(
        "digits",
        dataset,
        "vgg",
        optimizer={"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.0},
        batch_size=100,
        checkpoints=plan(0, 0, 2),
        evaluation={"batch_size": 1000, "max_train_samples": 100},
    )


@pytest.fixture
def diffusion_run(workplace: Path) -> RunSettings:
    """A tiny run of a noise-prediction UNet on 200 random images, 40 more to validate on."""
    dataset = DigitsParams(kind="digits", image_size=28, validation_fraction=0.96, seed=0)
    images = np.random.default_rng(0).normal(size=(240, 1, 28, 28)).astype(np.float32)
    with write_dataset(paths.dataset("images"), dataset) as writer:
        writer.append("train", "inputs", images[:200])
        writer.append("validation", "inputs", images[200:])
    noise = {"num_steps": 20, "beta_start": 1e-3, "beta_end": 0.2, "sigmoid_range": 6.0}
    return settings(
        "images",
        dataset,
        "unet",
        problem={"kind": "diffusion", **noise},
        optimizer=ADAMW | {"betas": [0.9, 0.999]},
        batch_size=40,
        checkpoints=plan(1, 0, 2, 5),
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures of checkpoints: most of what an analysis of small weights takes."""
    monkeypatch.setattr("specflow.figures.draw.draw_checkpoints", lambda *_: [])


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are pictures of one pixel, where it is not asked what they show."""

    def save(figure: object, path: Path, dpi: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1)).save(path)

    monkeypatch.setattr("specflow.figures.draw.save", save)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Web]]:
    """Start web servers, which end with the test; pauses are short."""
    patience = Patience(tries=3, pause=0.001, longest=0.2, silence=10)
    monkeypatch.setattr(web_client, "PATIENCE", patience)
    with ExitStack() as running:

        def start() -> Web:
            server = running.enter_context(Web())
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            running.callback(server.shutdown)
            return server

        yield start
    web_client._pool.cache_clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make attack` make more random attacks, and others."""
    parser.addoption("--attack-times", type=int, default=1)
    parser.addoption("--attack-seed", type=int, default=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, and skip what needs a GPU where there is none."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # the last to end are short ones
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device; there is none"))
