"""Steps of trainings in memory, and what their audit says."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from tests.measure.walks import Walk
from torch import Tensor, nn
from torch.nn import functional

from specflow.audit.findings import Audit
from specflow.audit.flags import audit_checkpoints
from specflow.checkpoints.base import Step
from specflow.checkpoints.stream import contents_of
from specflow.scratch import Scratch
from specflow.wiring import Wiring
from specflow.wiring.recognize import LayoutParams, wiring_of


def audit_of(
    folder: Path,
    weights: Sequence[Mapping[str, Tensor]],
    workers: int = 1,
    numbers: Sequence[int] | None = None,
    **layout,
) -> Audit:
    """The audit of weights as steps of these numbers, else 0, 10, 20, ..."""
    checkpoints, scratch = Walk(weights), Scratch(folder / "scratch")
    if numbers is not None:
        checkpoints.steps = [Step(number, None, "memory") for number in numbers]
    params = LayoutParams.model_validate(layout)
    wiring = wiring_of(contents_of(checkpoints).expected, params)
    with scratch.locked():
        audit = audit_checkpoints(checkpoints, wiring, scratch, lambda done: None, workers)
        scratch.remove()
    return audit


class _Nowhere:
    """Scratch that keeps nothing."""

    def remember(self, name: str, compute):
        return compute()


class _AtOnce(Executor):
    """Threads would take longer to start than tensors as small as these to scan."""

    def __init__(self, workers: int) -> None:
        pass

    def submit(self, function, /, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


def named_of(weights: Sequence[Mapping[str, Tensor]]) -> set[tuple[int, str]]:
    """Places and flags of the audit of weights, without any wiring.

    Whether an exchange would be seen is not asked: no flag is by that.
    """
    with (
        mock.patch("specflow.audit.scan.ThreadPoolExecutor", _AtOnce),
        mock.patch("specflow.audit.flags.shows_exchanges", return_value=False),
    ):
        audit = audit_checkpoints(Walk(weights), Wiring((), ()), _Nowhere(), lambda done: None, 1)
    return {(flag.step // 10, flag.flag) for flag in audit.flags}


def named(flag: str, places) -> list[tuple[int, str]]:
    """What `flags_of` gives if the steps at these places have one flag."""
    return [(10 * place, flag) for place in sorted(places)]


def flags_of(weights: Sequence[Mapping[str, Tensor]]) -> list[tuple[int, str]]:
    """Steps and flags of the audit of weights as steps 0, 10, 20, ..."""
    return sorted((10 * place, flag) for place, flag in named_of(weights))


def walk(count: int = 8, seed: int = 0, speed: float = 0.1) -> list[dict[str, Tensor]]:
    """Weights of a made-up run: a random walk from a random start, biases beside matrices."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"layers.0.weight": (12, 9), "layers.1.weight": (10, 12), "layers.1.bias": (10,)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    steps = []
    for _ in range(count):
        steps.append({name: weight.clone() for name, weight in state.items()})
        for weight in state.values():
            weight += speed * torch.randn(weight.shape, generator=generator)
    return steps


def trained(model: nn.Module, optimizer, inputs: Tensor, labels: Tensor, spacing: int):
    """Weights of 11 kept steps of a real training in shuffled batches."""
    kept = []
    for step in range(10 * spacing + 1):
        if step % spacing == 0:
            kept.append({name: value.clone() for name, value in model.state_dict().items()})
        batch = torch.randperm(len(inputs))[:8]
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
        optimizer.step()
    return kept


class Adder(nn.Module):
    """A transformer without norms and dropout on sums of two numbers."""

    def __init__(self, modulus: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(modulus, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(8, 16), nn.Linear(16, 8)
        self.output = nn.Linear(8, modulus)

    def forward(self, pairs: Tensor) -> Tensor:
        x = self.embedding(pairs)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.linear2(self.linear1(x).relu())
        return self.output(x.mean(1))


def transformer_run(seed: int) -> list[dict[str, Tensor]]:
    torch.manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(7), torch.arange(7))
    model = Adder(7)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, (0.9, 0.98), weight_decay=0.1)
    return trained(model, optimizer, pairs, pairs.sum(1) % 7, spacing=8)


def convolutional_run(seed: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(9)
    labels = torch.arange(64) % 8
    images = torch.randn(8, 1, 8, 8, generator=generator)[labels]
    images = images + torch.randn(images.shape, generator=generator)
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(4)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 8))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    return trained(model, optimizer, images, labels, spacing=16)


def hasty_run(seed: int) -> list[dict[str, Tensor]]:
    """Weights of 12 kept steps of a training that forgets its start in one interval."""
    torch.manual_seed(seed)
    inputs = torch.randn(256, 32)
    model = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
    model.append(nn.Linear(32, 4))
    optimizer = torch.optim.AdamW(model.parameters(), 0.3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 110)
    kept = []
    for step in range(111):
        if step % 10 == 0:
            kept.append({name: value.clone() for name, value in model.state_dict().items()})
        batch = inputs[torch.randint(256, (32,))]
        optimizer.zero_grad()
        functional.cross_entropy(model(batch), batch[:, :4].argmax(1)).backward()
        optimizer.step()
        schedule.step()
    return kept


def shards(count, seed=0):
    """Steps of a slowing run of six tensors, the first three in one shard."""
    names = [
        f"blocks.{number}.{part}" for number in range(2) for part in ("w.weight", "norm.weight")
    ]
    shapes = {"embed.weight": (50, 16), **{n: (24, 16) if ".w." in n else (24,) for n in names}}
    shapes["head.weight"] = (50, 16)
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    steps = []
    for time in range(count):
        steps.append({name: weight.clone() for name, weight in state.items()})
        for weight in state.values():
            weight += 0.3 * np.exp(-time / 6) * torch.randn(weight.shape, generator=generator)
    return steps, list(shapes)[:3]


def save_steps(folder, steps, weights):
    """Write a state dict of each step into a folder."""
    folder.mkdir(exist_ok=True)
    for step, state in zip(steps, weights, strict=True):
        torch.save(state, folder / f"step{step}.pt")
