"""State of a training that lies among weights in their shapes, and is none of them."""

from specflow.checkpoints.base import Tensors
from specflow.checkpoints.effective.parts import Beside, Found

_OF_OPTIMIZERS = (
    *("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col"),
    *("exp_inf", "momentum_buffer", "square_avg", "acc_delta"),
)


def training_states(tensors: Tensors, beside: Beside) -> Found:
    """Find moments of optimizers, which flat checkpoints keep under names of parameters.

    Copies of weights (averages over steps, "ema") are weights, under names of their own.
    """
    ends = tuple(f".{end}" for end in _OF_OPTIMIZERS)
    found = (name for name in tensors.infos if name.endswith(ends))
    return Found(skipped=dict.fromkeys(found, "state of an optimizer"))
