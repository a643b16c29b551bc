"""Training steps of every kind of problem: the Trainer of this library against a plain loop.

Both sides train the same network from the same weights, on the same batches in the same order, with
the same fused optimizer and in the same precision, deterministically as in a stage, and take turns
in one process. What differs is what the Trainer does beside: seeds, learning rates, the loss scale,
checks that losses are finite. After all steps the losses of both must be equal.

On CUDA sizes and precision are those of presets/paper.yaml; on the CPU networks and batches are
small, and one thread computes, as for a member. Data are random, the learning rate is constant.

    python benchmarks/training_steps.py [--turns N] [--steps N]
"""

import argparse
import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.device import choose_device, make_deterministic
from specflow.params.datasets import ByteParams
from specflow.params.file import load_params
from specflow.params.optimization import ConstantSchedule
from specflow.params.problems import DiffusionParams
from specflow.params.resolve import run_params
from specflow.params.tasks import RunParams
from specflow.plan.costs import mean_frames
from specflow.plan.samples import random_samples
from specflow.tasks import Task, build_task
from specflow.tasks.diffusion import NoiseSchedule
from specflow.training.loop import Trainer
from specflow.training.optimizers import build_optimizer
from specflow.training.order import epoch_order, step_seed

PRESET = Path(__file__).parents[1] / "presets" / "paper.yaml"
BATCHES = 4  # in an epoch
SMALL_FRAMES = 60
# What is changed of an experiment's model, dataset and batch where there is no GPU.
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "vgg": {"model": {"depth": 11, "width": 8}, "run": {"batch_size": 64}},
    "unet": {
        "model": {"channels": (16, 32, 64, 128), "embedding_width": 64},
        "run": {"batch_size": 32},
    },
    "lstm": {"model": {"num_layers": 2, "hidden": 64}, "run": {"batch_size": 16}},
    "transformer": {
        "model": {"num_blocks": 2, "d_model": 64, "num_heads": 4, "d_mlp": 64},
        "dataset": {"length": 64, "tokenizer": ByteParams(kind="bytes")},
        "run": {"batch_size": 32, "accumulation_steps": 2},
    },
    "random_labels": {"model": {"hidden": (64, 64, 64)}, "run": {}},
}

Loss = Callable[[nn.Module, Tensor], Tensor]


def benchmarked_run(name: str, run: RunParams, device: torch.device) -> RunParams:
    """Return an experiment's run at a constant learning rate, and small on the CPU."""
    changed: dict[str, Any] = {"schedule": ConstantSchedule(kind="constant", warmup_steps=0)}
    if device.type == "cpu":
        small = SMALL[name]
        changed |= small["run"]
        changed["model"] = run.model.model_copy(update=small["model"])
        changed["dataset"] = run.dataset.model_copy(update=small.get("dataset", {}))
    return run.model_copy(update=changed)


def random_task(run: RunParams, device: torch.device) -> Task:
    """Return the task of a run on an epoch of random samples."""
    assert run.batch_size != "full"
    frames = mean_frames(run) if device.type == "cuda" else SMALL_FRAMES
    data = random_samples(run, BATCHES * run.batch_size, device, round(frames or 1))
    return build_task(run, {"train": data, "validation": data}, "")


def plain_loss(run: RunParams, data: dict[str, Tensor], device: torch.device) -> Loss:
    """Return the loss of chosen samples as one writes it with nothing but torch."""
    if isinstance(run.problem, DiffusionParams):
        noising, num_steps = NoiseSchedule(run.problem, device), run.problem.num_steps

        def diffusion(model: nn.Module, chosen: Tensor) -> Tensor:
            images = data["inputs"][chosen]
            noise = torch.randn_like(images)
            steps = torch.randint(num_steps, (len(images),), device=device)
            predicted = model(noising.noised(images, noise, steps), noising.times(steps))
            return functional.mse_loss(predicted.float(), noise)

        return diffusion

    def ctc(model: nn.Module, chosen: Tensor) -> Tensor:
        lengths, target_lengths = data["input_lengths"][chosen], data["target_lengths"][chosen]
        scores = model(data["inputs"][chosen], lengths).float().log_softmax(2).transpose(0, 1)
        return functional.ctc_loss(scores, data["targets"][chosen], lengths, target_lengths)

    def language(model: nn.Module, chosen: Tensor) -> Tensor:
        tokens = data["tokens"][chosen]
        logits = model(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def classification(model: nn.Module, chosen: Tensor) -> Tensor:
        return functional.cross_entropy(model(data["inputs"][chosen]), data["targets"][chosen])

    losses = {"ctc": ctc, "language_modelling": language, "classification": classification}
    return losses[run.problem.kind]


def plain_loop(task: Task, model: nn.Module, pauses: list[int]) -> Iterator[int]:
    """Train as one writes it with nothing but torch; batches and seeds are made beforehand.

    Yields:
        Each pause's step.
    """
    run, device = task.run, next(model.parameters()).device
    assert run.batch_size != "full"
    optimizer = build_optimizer(run.optimizer, model)
    loss_of = plain_loss(run, dict(task.data["train"]), device)
    orders = (epoch_order(0, epoch, task.num_samples("train")) for epoch in range(pauses[-1]))
    batches = [part for order in orders for part in order.to(device).split(run.batch_size)]
    seeds = [step_seed(0, step) for step in range(pauses[-1])]
    half = getattr(torch, run.precision) if run.precision != "float32" else None
    mixed = half is not None and device.type == "cuda"
    for start, end in zip([0, *pauses[:-1]], pauses, strict=True):
        for step in range(start, end):
            torch.manual_seed(seeds[step])
            optimizer.zero_grad(set_to_none=True)
            for part in batches[step].tensor_split(run.accumulation_steps):
                with torch.autocast(device.type, dtype=half, enabled=mixed):
                    loss = loss_of(model, part)
                (loss / run.accumulation_steps).backward()
            if run.gradient_clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), run.gradient_clip)
            optimizer.step()
        loss.item()  # waits for the device
        yield end


def take_turns(sides: list[Iterator[int]], turns: int, steps: int) -> tuple[float, float, float]:
    """Return both sides' median steps per second, and the median ratio of a turn's two rates.

    The first turn warms up. A turn of one side comes right after the other's, so that what else
    the machine does slows both.
    """
    rates: list[list[float]] = [[] for _ in sides]
    for _ in range(turns + 1):
        for side, own in zip(sides, rates, strict=True):
            start = time.perf_counter()
            next(side)
            own.append(steps / (time.perf_counter() - start))
    ours, theirs = (own[1:] for own in rates)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


@torch.no_grad()
def final_loss(task: Task, model: nn.Module) -> float:
    """Return the loss of the first batch; noise, where there is any, is the same each time."""
    torch.manual_seed(0)
    model.eval()
    return float(task.training_loss(model, slice(0, task.num_samples("train") // BATCHES)))


def compare(name: str, run: RunParams, device: torch.device, turns: int, steps: int) -> str:
    """Measure both sides of one experiment, check their losses, and return a line."""
    torch.manual_seed(0)
    task = random_task(run, device)
    model = task.build_model()
    plain = copy.deepcopy(model).train()
    trainer = Trainer(task, model, build_optimizer(run.optimizer, model), order_seed=0)
    pauses = [steps * turn for turn in range(1, turns + 2)]
    sides = [trainer.run(0, pauses, lambda done: None), plain_loop(task, plain, pauses)]
    ours, theirs, ratio = take_turns(sides, turns, steps)
    losses = final_loss(task, model), final_loss(task, plain)
    # On CUDA some operations have no deterministic form (the gradients of CTC).
    tolerance = 1e-6 if device.type == "cpu" else 1e-3 if run.precision == "float32" else 1e-2
    assert math.isclose(*losses, rel_tol=tolerance), f"{name}: the losses of both are {losses}"
    return (
        f"{run.problem.kind:18} {run.model.kind:11} batch {run.batch_size:3}: Trainer {ours:.1f}, "
        f"plain loop {theirs:.1f} steps a second, ratio {ratio:.2f}, "
        f"loss of both {losses[0]:.4f}"
    )


def main() -> None:
    """Measure every kind of problem and print its rates and their ratio."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    arguments = parser.parse_args()
    device = choose_device()
    make_deterministic(device)
    sizes = "small networks, one thread" if device.type == "cpu" else "sizes of presets/paper.yaml"
    print(f"training steps on {device.type}: {sizes}, median of {arguments.turns} turns")
    params = load_params(PRESET)
    for name in SMALL:
        run = benchmarked_run(name, run_params(params, name), device)
        print(compare(name, run, device, arguments.turns, arguments.steps))


if __name__ == "__main__":
    main()
