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


def large(*shape: int, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(0)
    sizes = (shape, (2048, 1024), (2048,))
    return [torch.randn(size, generator=generator, dtype=dtype) for size in sizes]


def test_where_torch_has_no_product_of_onednn_layers_are_torchs_own(monkeypatch):
    x, weight, bias = large(8, 1024)
    assert module._is_faster(x, weight)

    def refuse(*args):
        raise RuntimeError("not for this processor")

    def lack(*args):
        raise AttributeError("no such operation")

    for way in (refuse, lack):
        module._has_product.cache_clear()
        monkeypatch.setattr(module, "_times_transposed", way)
        assert torch.equal(linear(x, weight, bias), functional.linear(x, weight, bias))
    monkeypatch.undo()
    module._has_product.cache_clear()
    assert module._is_faster(x, weight)


def test_type_of_numbers_that_was_asked_for_is_kept(monkeypatch):
    x, weight, bias = large(8, 1024)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear(x, weight, bias)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, functional.linear(x, weight, bias))
    for dtype in (torch.float64, torch.bfloat16):
        own = large(8, 1024, dtype=dtype)
        assert torch.equal(linear(*own), functional.linear(*own))
    assert module._is_faster(x, weight)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not module._is_faster(x, weight)


def test_single_vector_has_outputs_and_gradients_too():
    tensors = large(1024)
    for own, theirs in zip(
        *(outcome(way, *tensors, torch.ones(())) for way in (linear, functional.linear)),
        strict=True,
    ):
        torch.testing.assert_close(own, theirs)


def test_frozen_weights_and_no_bias_are_no_error():
    x, weight, _ = large(8, 1024)
    x.requires_grad_()
    linear(x, weight, None).sum().backward()
    torch.testing.assert_close(x.grad, weight.sum(0).expand_as(x), rtol=1e-4, atol=1e-3)
    assert weight.grad is None


def test_inputs_without_gradient_and_evaluation_without_any():
    layer, x = Linear(256, 256), torch.randn(64, 256)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))
