"""Optimizers, and their state as arrays by parameter name: what a branch continues from."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from specflow.params.optimization import AdamWParams, OptimizerParams

State = dict[str, dict[str, np.ndarray]]


def build_optimizer(params: OptimizerParams, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of all parameters of a network.

    Args:
        params: The optimizer's parameters.
        model: The network, on its final device.

    Returns:
        A fused optimizer without state yet.
    """
    if isinstance(params, AdamWParams):
        return torch.optim.AdamW(
            model.parameters(),
            lr=params.learning_rate,
            betas=params.betas,
            weight_decay=params.weight_decay,
            fused=True,
        )
    return torch.optim.SGD(
        model.parameters(),
        lr=params.learning_rate,
        momentum=params.momentum,
        weight_decay=params.weight_decay,
        fused=True,
    )


def export_state(optimizer: torch.optim.Optimizer, model: nn.Module) -> State:
    """Return copies of the state of every parameter that has one.

    Args:
        optimizer: The optimizer of the network.
        model: The network.

    Returns:
        Arrays by parameter name and key (`exp_avg`, `momentum_buffer`, ...).
    """
    return {
        name: {
            key: value.detach().cpu().numpy().copy()
            for key, value in optimizer.state[parameter].items()
            if value is not None
        }
        for name, parameter in model.named_parameters()
        if optimizer.state.get(parameter)
    }


def import_state(
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    state: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Give an optimizer the state that `export_state` returned.

    Args:
        optimizer: A new optimizer of the network; changed.
        model: The network.
        state: Arrays by parameter name and key.
    """
    names = [name for name, _ in model.named_parameters()]
    optimizer.load_state_dict(
        {
            "state": {
                names.index(name): {key: torch.from_numpy(np.array(v)) for key, v in entry.items()}
                for name, entry in state.items()
            },
            "param_groups": optimizer.state_dict()["param_groups"],
        }
    )
