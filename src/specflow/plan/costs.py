"""What a model costs, counted on the model itself: parameters, bytes, FLOPs of training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from specflow.params.datasets import SpeechDatasetParams
from specflow.params.optimization import OptimizerParams
from specflow.params.tasks import RunParams
from specflow.plan.samples import random_samples
from specflow.tasks import Task, build_task
from specflow.training.optimizers import build_optimizer, export_state

_CPU, _META = torch.device("cpu"), torch.device("meta")
_WEIGHT_BYTES = 4  # a trajectory holds weights as float32


@dataclass(frozen=True)
class ModelCosts:
    """What a model costs, whatever trains it.

    Attributes:
        sizes: Number of elements of each parameter.
        checkpoint_bytes: Weights and buffers of one kept step.
        flops_per_sample: FLOPs of a sample's part in a training step, forward and backward: those
            of matrix products, convolutions and attention (over the whole window, causal or not).
    """

    sizes: tuple[int, ...]
    checkpoint_bytes: int
    flops_per_sample: float

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(self.sizes)


def model_costs(runs: Mapping[str, RunParams]) -> dict[str, ModelCosts]:
    """Return the costs of each run's model, equal models on equal samples counted once.

    Args:
        runs: Resolved configs by name.

    Returns:
        Costs by the same names.
    """
    known: dict[tuple, ModelCosts] = {}
    costs = {}
    for name, run in runs.items():
        count = _samples_at_once(run)
        key = (run.problem, run.model, run.dataset.shape, mean_frames(run), count)
        if key not in known:
            known[key] = _model_costs(run, count)
        costs[name] = known[key]
    return costs


def state_bytes(optimizer: OptimizerParams, costs: ModelCosts) -> int:
    """Return the bytes of an optimizer's state for a model, once it has taken a step."""
    probe = nn.Linear(2, 1, bias=False)
    probe.weight.grad = torch.ones_like(probe.weight)
    trained = build_optimizer(optimizer, probe)
    trained.step()
    per_element, per_parameter = 0, 0
    for array in export_state(trained, probe).get("weight", {}).values():
        if array.shape == probe.weight.shape:
            per_element += array.itemsize
        else:
            per_parameter += array.nbytes
    return sum(size * per_element + per_parameter for size in costs.sizes)


def mean_frames(run: RunParams) -> float | None:
    """Return the estimated mean number of frames of an utterance; None if it is no speech."""
    return run.dataset.mean_frames if isinstance(run.dataset, SpeechDatasetParams) else None


def _samples_at_once(run: RunParams) -> int:
    """Return how many samples pass through the network together; some short cuts depend on it."""
    return math.ceil(run.samples_per_step(run.dataset.num_train) / run.accumulation_steps)


def _model_costs(run: RunParams, count: int) -> ModelCosts:
    with _META:
        model = _task(run, 1, _META).build_model()
    state, buffers = model.state_dict(), dict(model.named_buffers())
    stored = [state[name] for name in buffers if name in state]
    sizes = tuple(parameter.numel() for parameter in model.parameters())
    return ModelCosts(
        sizes=sizes,
        checkpoint_bytes=_WEIGHT_BYTES * sum(sizes) + sum(buffer.nbytes for buffer in stored),
        flops_per_sample=_flops_per_sample(run, count),
    )


def _flops_per_sample(run: RunParams, count: int) -> float:
    """Count a training step's samples on the device `meta`, which computes nothing.

    Utterances cannot be packed there, nor are all of the same length: one is counted on the CPU at
    two lengths and extrapolated to the mean. FLOPs are linear in frames but for a constant, since
    the state before the first frame has no gradient.
    """
    frames = mean_frames(run)
    if frames is None:
        return _count_flops(_task(run, count, _META), count, _META) / count
    two, three = (_count_flops(_task(run, 1, _CPU, length), 1, _CPU) for length in (2, 3))
    return two + (three - two) * (frames - 2)


def _task(run: RunParams, count: int, device: torch.device, num_frames: int = 3) -> Task:
    samples = random_samples(run, count, device, num_frames)
    # In float32 an LSTM on the CPU is one call of oneDNN, whose products are not counted.
    data = {name: x.double() if x.is_floating_point() else x for name, x in samples.items()}
    return build_task(run, {"train": data, "validation": data}, "")


def _count_flops(task: Task, count: int, device: torch.device) -> int:
    with device:
        model = task.build_model().double()
    with FlopCounterMode(display=False) as counter:
        task.training_loss(model, slice(0, count)).backward()
    return counter.get_total_flops()
