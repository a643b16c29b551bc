"""Re-estimation of BatchNorm statistics after weights were changed by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norm_layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """Return the BatchNorm layers that keep running statistics, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }


def reestimate_batch_norm(model: nn.Module, forward: Callable[[], object]) -> None:
    """Replace the running statistics of every BatchNorm layer by those of the data in `forward`.

    The statistics become plain means over the batches, so batches should be of one size. Only
    BatchNorm layers are in training mode meanwhile (dropout is off, as when the model is
    evaluated); modes and momenta are as before at the end. Models without BatchNorm are left
    alone and `forward` is not called.

    Args:
        model: The model; only its running statistics change.
        forward: Passes training data through the model, in one batch or several; called once.

    Raises:
        ValueError: If `forward` passes no data through some BatchNorm layer.
    """
    layers = batch_norm_layers(model)
    if not layers:
        return
    with _estimating(model, layers), torch.no_grad():
        forward()
    unseen = [name for name, layer in layers.items() if not layer.num_batches_tracked]
    if unseen:
        raise ValueError(f"forward passed no batch through {unseen}; expected at least one")


@contextmanager
def _estimating(model: nn.Module, layers: dict[str, _BatchNorm]) -> Iterator[None]:
    """Reset the layers and let them, and nothing else, be in training mode."""
    modes = {module: module.training for module in model.modules()}
    momenta = {layer: layer.momentum for layer in layers.values()}
    model.eval()
    for layer in layers.values():
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for layer, momentum in momenta.items():
            layer.momentum = momentum
