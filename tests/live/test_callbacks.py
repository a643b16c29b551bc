"""Callbacks of training libraries, where these are installed, and the examples."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDS = {"language_model": [], "language_model_trainer": ["transformers", "accelerate"]}


def steps_in(path: Path) -> list[int]:
    with h5py.File(path) as file:
        return file["step"][:].tolist()


@pytest.mark.parametrize("name", NEEDS)
def test_example_trains_and_leaves_spectra_of_its_layers(tmp_path, name):
    for package in NEEDS[name]:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--steps", "3"]
    path = tmp_path / "run.h5"
    done = subprocess.run(
        [*command, "--output", str(path)], check=True, capture_output=True, text=True, timeout=200
    )
    assert "loss: " in done.stdout
    assert steps_in(path) == [0]
    with h5py.File(path) as file:
        assert len(file["matrices"]) == 15
        assert len(file["pairs"]) == 15


@pytest.mark.filterwarnings("default", "error:specflow")  # lightning has warnings of its own
def test_callback_of_lightning_tells_steps_and_losses(tmp_path):
    lightning = pytest.importorskip("lightning")
    from specflow.live.lightning import WatchCallback

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))

        def training_step(self, batch, index):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    told, path = [], tmp_path / "run.h5"
    data = TensorDataset(torch.randn(64, 8), torch.randint(0, 3, (64,)))
    watching = WatchCallback(path, every=4, budget=1, sinks=[lambda *given: told.append(given)])
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accumulate_grad_batches=2,
        callbacks=[watching],
    )
    trainer.fit(Module(), DataLoader(data, batch_size=4))
    assert steps_in(path) == [0, 4, 8, 12, 16]
    assert ["loss" in numbers for _, numbers in told] == [False, True, True, True, True]
