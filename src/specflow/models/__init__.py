"""Architectures: one file each, with the network and its wiring."""

import torch

from specflow.models.lstm import Lstm
from specflow.models.mlp import Mlp
from specflow.models.network import Network
from specflow.models.transformer import Transformer
from specflow.models.unet import Unet
from specflow.models.vgg import Vgg
from specflow.models.wiring import Wiring
from specflow.params.datasets import DataShape, ImageShape, TokenShape
from specflow.params.models import (
    LstmParams,
    MlpParams,
    ModelParams,
    TransformerParams,
    UnetParams,
    VggParams,
)
from specflow.params.speech import SpeechShape

__all__ = ["Network", "build_model", "wiring_of"]


def build_model(
    params: ModelParams, shape: DataShape, *, last_position_only: bool = False
) -> Network:
    """Return a new network, initialized from torch's global generator.

    Args:
        params: Sizes of the network.
        shape: Shape of the data that it reads.
        last_position_only: For token models: compute the last position's logits only.

    Returns:
        The network, on the default device.

    Raises:
        ValueError: If the model cannot read data of this shape.
    """
    params.check_shape(shape)
    match params, shape:
        case TransformerParams(), TokenShape():
            return Transformer(params, shape, last_position_only=last_position_only)
        case VggParams(), ImageShape():
            return Vgg(params, shape)
        case LstmParams(), SpeechShape():
            return Lstm(params, shape)
        case MlpParams(), ImageShape():
            return Mlp(params, shape)
        case UnetParams(), ImageShape():
            return Unet(params, shape)
        case _:
            assert False, f"check_shape lets {params.kind} read {shape.kind}"  # noqa: B011, PT015


def wiring_of(params: ModelParams, shape: DataShape) -> Wiring:
    """Return the wiring of an architecture without allocating its weights."""
    with torch.device("meta"):
        return build_model(params, shape).wiring
