"""Training steps of every kind of problem: the Trainer of this library against a plain loop.

Both sides train the same network from the same weights, on the same batches in the same order, with
the same fused optimizer and in the same precision, deterministically as in a stage, and take turns
in one process. What differs is what the Trainer does beside: seeds, learning rates, the loss scale,
checks that losses are finite. After all steps the losses of both must be equal.

On CUDA sizes and precision are those of presets/paper.yaml; on the CPU networks and batches are
small, and one thread computes, as for a run. Data are random, the learning rate is constant.

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

from specflow.config.params import CommonParams, load_params
from specflow.datasets.tokenizers import ByteParams
from specflow.device import choose_device, keep_freed_memory, make_deterministic
from specflow.problems.diffusion import DiffusionParams, NoiseSchedule
from specflow.problems.task import Task
from specflow.training.loop import Trainer
from specflow.training.order import epoch_order, step_seed
from specflow.training.schedules import ConstantSchedule
from specflow.training.settings import RunSettings

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


def benchmarked_run(name: str, params: CommonParams, device: torch.device) -> RunSettings:
    """Return an experiment's run at a constant learning rate, and small on the CPU."""
    run = params.experiments[name].run(name, params.known)
    changed: dict[str, Any] = {"schedule": ConstantSchedule(kind="constant", warmup_steps=0)}
    if device.type == "cpu":
        small, dataset = SMALL[name], params.datasets[run.dataset_name]
        changed |= small["run"]
        changed["model"] = run.model.model_copy(update=small["model"])
        changed["shape"] = dataset.model_copy(update=small.get("dataset", {})).shape
    return run.model_copy(update=changed)


def random_task(run: RunSettings, frames: float | None, device: torch.device) -> Task:
    """Return the task of a run on an epoch of random samples; utterances have so many frames."""
    assert run.batch_size != "full"
    num_frames = round(frames or 1) if device.type == "cuda" else SMALL_FRAMES
    data = run.problem.random_samples(run.shape, BATCHES * run.batch_size, device, num_frames)
    return run.problem.task(run, {"train": data, "validation": data}, "")


def plain_loss(run: RunSettings, data: dict[str, Tensor], device: torch.device) -> Loss:
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


def plain_loop(run: RunSettings, task: Task, model: nn.Module, pauses: list[int]) -> Iterator[int]:
    """Train as one writes it with nothing but torch; batches and seeds are made beforehand.

    Yields:
        Each pause's step.
    """
    device = next(model.parameters()).device
    assert run.batch_size != "full"
    optimizer = run.optimizer.build(model)
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


def compare(name: str, params: CommonParams, device: torch.device, turns: int, steps: int) -> str:
    """Measure both sides of one experiment, check their losses, and return a line."""
    run = benchmarked_run(name, params, device)
    torch.manual_seed(0)
    task = random_task(run, params.datasets[run.dataset_name].mean_frames, device)
    model = task.build_model()
    plain = copy.deepcopy(model).train()
    trainer = Trainer(run, task, model, order_seed=0)
    pauses = [steps * turn for turn in range(1, turns + 2)]
    sides = [trainer.run(0, pauses), plain_loop(run, task, plain, pauses)]
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
    keep_freed_memory()
    sizes = "small networks, one thread" if device.type == "cpu" else "sizes of presets/paper.yaml"
    print(f"training steps on {device.type}: {sizes}, median of {arguments.turns} turns")
    params = load_params(PRESET)
    for name in SMALL:
        print(compare(name, params, device, arguments.turns, arguments.steps))


if __name__ == "__main__":
    main()
