import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from specflow.models import linear as module
from specflow.models.linear import Linear, linear


def outcome(way, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor) -> list[Tensor]:
    """Outputs and all gradients."""
    leaves = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    out = way(*leaves)
    (out.square() * scale).sum().backward()
    gradients = [leaf.grad for leaf in leaves]
    assert all(gradient is not None for gradient in gradients)
    return [out.detach(), *(gradient for gradient in gradients if gradient is not None)]


@pytest.mark.parametrize("shape", [(300,), (40, 7), (3, 2, 50)])
@pytest.mark.parametrize("sizes", [(128, 96), (33, 301)])
def test_outputs_and_gradients_are_those_of_torch_up_to_rounding(shape, sizes):
    generator = torch.Generator().manual_seed(0)
    inputs, outputs = sizes
    x = torch.randn(*shape, inputs, generator=generator)
    weight, bias = (torch.randn(*s, generator=generator) for s in ((outputs, inputs), (outputs,)))
    scale = torch.randn(outputs, generator=generator)
    assert module._is_faster(x, weight)
    found = outcome(linear, x, weight, bias, scale)
    exact = outcome(functional.linear, *(t.double() for t in (x, weight, bias, scale)))
    torchs = outcome(functional.linear, x, weight, bias, scale)
    for own, theirs, expected in zip(found, torchs, exact, strict=True):
        assert own.shape == theirs.shape
        error, usual = ((one - expected).norm() / expected.norm() for one in (own, theirs))
        assert error < 4 * usual + 1e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_products_and_other_types_are_torchs_own(dtype):
    x, weight, bias = torch.randn(9, 5, dtype=dtype), torch.randn(4, 5, dtype=dtype), torch.ones(4)
    found = linear(x, weight, bias.to(dtype))
    assert torch.equal(found, functional.linear(x, weight, bias.to(dtype)))
    large = torch.ones(2000, 40, dtype=torch.float64), torch.ones(40, 40, dtype=torch.float64)
    assert not module._is_faster(*large)


def test_layer_is_torchs_with_the_same_names_and_start():
    layers = []
    for kind in (Linear, nn.Linear):
        torch.manual_seed(0)
        layers.append(kind(5, 7).state_dict())
    assert layers[0].keys() == layers[1].keys()
    assert all(torch.equal(layers[0][name], layers[1][name]) for name in layers[0])


def test_inputs_without_gradient_and_evaluation_without_any():
    layer, x = Linear(256, 256), torch.randn(64, 256)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))
