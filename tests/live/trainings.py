"""Small trainings, watched or not."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import torch
from torch import Tensor, nn

from specflow.live.watch import Watch

STEPS = 40
torch.set_num_threads(1)  # in processes of their own too: they run beside others


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 20), nn.ReLU(), nn.Linear(20, 4))
    )


def train(
    model: nn.Module, told: Callable[..., None], first: int = 0, last: int = STEPS
) -> dict[int, dict[str, Tensor]]:
    """Train a network, and return its weights after each step."""
    generator = torch.Generator().manual_seed(1)
    device = next(model.parameters()).device
    inputs = torch.randn(64, 16, generator=generator).to(device)
    labels = torch.randint(0, 4, (64,), generator=generator).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    states = {}
    for step in range(first, last):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        states[step] = {name: one.detach().clone() for name, one in model.state_dict().items()}
        told(step, loss=loss)
    return states


def tell(watch: Watch, steps: Iterable[int], pause: float = 0.0) -> None:
    """Tell a watch of steps of a network that stays as it is."""
    for step in steps:
        watch.step(step)
        time.sleep(pause)


def is_measured(path: Path, steps: list[int]) -> bool:
    if not path.exists():
        return False
    with h5py.File(path) as file:
        return file["step"][:].tolist() == steps
