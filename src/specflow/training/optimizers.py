"""Optimizers, and their state as arrays by parameter name: what a branch continues from."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from specflow.section import NonNegative, Positive, Section

Momentum = Annotated[float, Field(ge=0, lt=1)]
State = dict[str, dict[str, np.ndarray]]


class AdamWParams(Section):
    """AdamW (Loshchilov & Hutter 2019).

    Attributes:
        learning_rate: Peak of the rate.
        betas: Decay of the running means of gradients and of their squares.
        weight_decay: Decoupled from the gradient, and scaled by the rate.
    """

    kind: Literal["adamw"]
    learning_rate: Positive
    betas: Annotated[tuple[Momentum, Momentum], Field(strict=False)]
    weight_decay: NonNegative

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the fused optimizer of all parameters of a network on its final device."""
        return torch.optim.AdamW(
            model.parameters(),
            lr=self.learning_rate,
            betas=self.betas,
            weight_decay=self.weight_decay,
            fused=True,
        )


class SgdParams(Section):
    """Stochastic gradient descent with momentum.

    Attributes:
        learning_rate: Peak of the rate.
        momentum: Decay of the running sum of gradients.
        weight_decay: Share of the weights that is added to the gradient.
    """

    kind: Literal["sgd"]
    learning_rate: Positive
    momentum: Momentum
    weight_decay: NonNegative

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the fused optimizer of all parameters of a network on its final device."""
        return torch.optim.SGD(
            model.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )


Optimizer = Annotated[AdamWParams | SgdParams, Field(discriminator="kind")]


def export_state(optimizer: torch.optim.Optimizer, model: nn.Module) -> State:
    """Return copies of all state, by parameter name and key (`exp_avg`, `momentum_buffer`, ...)."""
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
    """Give a new optimizer of a network the state that `export_state` returned."""
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
