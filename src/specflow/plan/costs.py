"""What a model costs, counted on the model itself: parameters, bytes, FLOPs of training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from specflow.problems.task import Task
from specflow.training.optimizers import Optimizer, export_state
from specflow.training.settings import RunSettings

_CPU, _META = torch.device("cpu"), torch.device("meta")
_WEIGHT_BYTES = 4  # a trajectory holds weights as float32


@dataclass(frozen=True)
class Costs:
    """What a model costs, whatever trains it.

    Attributes:
        sizes: Number of elements of each parameter.
        checkpoint_bytes: Weights and buffers of one kept step.
        flops_per_sample: FLOPs of a sample's part in a training step, forward and backward: those
            of matrix products, convolutions and attention (over the whole window, causal or not).
        mean_frames: For speech, the estimated mean number of frames that FLOPs are counted for.
    """

    sizes: tuple[int, ...]
    checkpoint_bytes: int
    flops_per_sample: float
    mean_frames: float | None = None


def costs_of(
    runs: Mapping[str, RunSettings], mean_frames: Mapping[str, float | None]
) -> dict[str, Costs]:
    """Return the costs of each run's model, equal models on equal samples counted once.

    Args:
        runs: Resolved settings by name.
        mean_frames: By the same names, the mean number of frames of an utterance; None if the
            samples are no speech.
    """
    known: dict[tuple, Costs] = {}
    costs = {}
    for name, run in runs.items():
        # How many samples pass through the network together; some short cuts depend on it.
        count = math.ceil(run.samples_per_step(run.num_train) / run.accumulation_steps)
        key = (run.problem, run.model, run.shape, mean_frames[name], count)
        if key not in known:
            known[key] = _costs(run, count, mean_frames[name])
        costs[name] = known[key]
    return costs


def state_bytes(optimizer: Optimizer, sizes: Sequence[int]) -> int:
    """Return the bytes of an optimizer's state after a step, by the sizes of its parameters."""
    probe = nn.Linear(2, 1, bias=False)
    probe.weight.grad = torch.ones_like(probe.weight)
    trained = optimizer.build(probe)
    trained.step()
    arrays = export_state(trained, probe).get("weight", {}).values()
    per_element = sum(array.itemsize for array in arrays if array.shape == probe.weight.shape)
    per_parameter = sum(array.nbytes for array in arrays if array.shape != probe.weight.shape)
    return sum(size * per_element + per_parameter for size in sizes)


def _costs(run: RunSettings, count: int, mean_frames: float | None) -> Costs:
    with _META:
        model = _task(run, 1, _META).build_model()
    state, sizes = model.state_dict(), tuple(p.numel() for p in model.parameters())
    stored = (state[name].nbytes for name, _ in model.named_buffers() if name in state)
    return Costs(
        sizes=sizes,
        checkpoint_bytes=_WEIGHT_BYTES * sum(sizes) + sum(stored),
        flops_per_sample=_flops_per_sample(run, count, mean_frames),
        mean_frames=mean_frames,
    )


def _flops_per_sample(run: RunSettings, count: int, mean_frames: float | None) -> float:
    """Count a training step's samples on the device `meta`, which computes nothing.

    Utterances have no lengths there, nor are all of the same length: one is counted on the CPU at
    two lengths and extrapolated to the mean. FLOPs are linear in frames but for a constant, since
    the state before the first frame has no gradient.
    """
    if mean_frames is None:
        return _count_flops(_task(run, count, _META), count, _META) / count
    two, three = (_count_flops(_task(run, 1, _CPU, length), 1, _CPU) for length in (2, 3))
    return two + (three - two) * (mean_frames - 2)


def _task(run: RunSettings, count: int, device: torch.device, num_frames: int = 3) -> Task:
    samples = run.problem.random_samples(run.shape, count, device, num_frames)
    # In float32 an LSTM on the CPU is one call of oneDNN, whose products are not counted.
    data = {name: x.double() if x.is_floating_point() else x for name, x in samples.items()}
    return run.problem.task(run, {"train": data, "validation": data}, "")


def _count_flops(task: Task, count: int, device: torch.device) -> int:
    with device:
        model = task.build_model().double()
    with FlopCounterMode(display=False) as counter:
        task.training_loss(model, slice(0, count)).backward()
    return counter.get_total_flops()
