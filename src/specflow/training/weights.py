"""Moving weights and buffers between a network and arrays."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def export_weights(model: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of all trained parameters by name, float32."""
    return {
        name: parameter.detach().float().cpu().numpy().copy()
        for name, parameter in model.named_parameters()
    }


def export_buffers(model: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of all buffers that belong to the network's state (BatchNorm statistics)."""
    state = model.state_dict()
    return {
        name: state[name].cpu().numpy().copy() for name, _ in model.named_buffers() if name in state
    }


@torch.no_grad()
def import_weights(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network every entry of its state dict."""
    model.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in arrays.items()})
