"""Linear layers whose large products on the CPU are those of oneDNN.

torch multiplies matrices by MKL, which leaves half of the vector units of some processors unused;
oneDNN, which torch has for convolutions, does not. Where torch offers no such product of oneDNN, as
on other devices and in other types of numbers, layers are torch's own.

Dimensions: B samples or positions, I inputs of a layer, O outputs.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

_LEAST = 2**21  # multiplications of a product below which a call of oneDNN takes longer


class Linear(nn.Linear):
    """A layer with the parameters, names and initialization of `torch.nn.Linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs (..., O) for inputs (..., I)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x W^T + b, shape (..., O); not to be changed in place.

    Args:
        x: Shape (..., I).
        weight: W, of shape (O, I).
        bias: b, of shape (O,), or None.
    """
    if _is_faster(x, weight):
        return _Product.apply(x, weight, bias)
    return functional.linear(x, weight, bias)


def _is_faster(x: Tensor, weight: Tensor) -> bool:
    if x.device.type != "cpu" or x.ndim < 2 or x.numel() * len(weight) < _LEAST:
        return False
    in_float32 = x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return in_float32 and bool(torch.backends.mkldnn.enabled) and _has_product()


@cache
def _has_product() -> bool:
    """Return whether this build of torch multiplies by oneDNN; the operation is none of its API."""
    try:
        _times_transposed(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4))
    except (AttributeError, RuntimeError):  # not there, or not for this processor
        return False
    return True


class _Product(torch.autograd.Function):
    """x W^T + b and its gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight_OI)
        return _times_transposed(x, weight_OI, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_OI = ctx.saved_tensors  # type: ignore[attr-defined]
        x_wanted, weight_wanted, bias_wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        grad_BO, x_BI = grad.flatten(0, -2), x.flatten(0, -2)
        return (
            _times_transposed(grad, weight_OI.T) if x_wanted else None,
            _times_transposed(grad_BO.T, x_BI.T) if weight_wanted else None,
            grad_BO.sum(0) if bias_wanted else None,
        )


def _times_transposed(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
