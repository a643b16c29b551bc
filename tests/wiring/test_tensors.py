import re

import pytest
import torch
from torch import nn

from specflow.errors import SpecflowError
from specflow.wiring.names import check_names


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("norm.weight", torch.ones(4), "one dimension"),
        ("scale", torch.tensor(1.0), "a scalar"),
        ("mask", torch.ones(4, 4, dtype=torch.bool), "dtype bool, none of float16, bfloat16"),
        ("index", torch.ones(4, 4, dtype=torch.int64), "dtype int64, none of"),
        ("spectrum", torch.ones(4, 4, dtype=torch.complex64), "dtype complex64, none of"),
        ("small", torch.ones(4, 4).to(torch.float8_e4m3fn), "dtype float8_e4m3fn, none of"),
        ("experts.bias", torch.ones(4, 4), r"a bias \(or causal mask\)"),
        ("attn.bias_k", torch.ones(1, 1, 4), "a bias"),
        ("experts.up_bias", torch.ones(4, 4), "a bias"),
        ("empty", torch.ones(0, 4), r"no entries: shape \(0, 4\)"),
        ("deep", torch.ones(1, 1, 1, 1, 1, 1), "6 dimensions"),
    ],
)
def test_what_is_no_matrix_is_listed_with_the_reason(wire, name, value, reason):
    wiring = wire({"w": torch.ones(2, 2), name: value})
    assert [m.name for m in wiring.matrices] == ["w"]
    assert list(wiring.skipped) == [name]
    assert re.match(reason, wiring.skipped[name])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_matrices_keep_their_dtype(wire, dtype):
    tensor = torch.ones(2, 3, dtype=dtype)
    (matrix,) = wire({"w.weight": tensor}).matrices
    assert matrix.view.of(tensor).dtype == dtype


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        (["a.weight", "b.weight", "b"], ["a", "b.weight", "b"]),  # taken
        (["weight", ".weight"], ["weight", ".weight"]),  # nothing would be left
        (["a/.weight", "..weight"], ["a/.weight", "..weight"]),  # no paths of HDF5
        (["second", "first"], ["second", "first"]),  # the order is the file's
    ],
)
def test_names_lose_weight_where_they_can(wire, tensors, expected):
    wiring = wire(dict.fromkeys(tensors, (2, 2)))
    assert [matrix.name for matrix in wiring.matrices] == expected


def test_tensor_of_another_shape_is_refused(wire):
    (matrix,) = wire({"w": (4, 3)}).matrices
    with pytest.raises(ValueError, match=r"w: got shape \(3, 4\); expected \(4, 3\)"):
        matrix.view.of(torch.ones(3, 4))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_convolution_is_one_matrix_of_outputs_and_all_its_inputs(wire, number):
    module = [nn.Conv1d, nn.Conv2d, nn.Conv3d][number - 1](3, 5, 2, bias=False)
    (matrix,) = wire(module.state_dict()).matrices
    view = matrix.view
    assert (view.rows, view.columns, view.kernel) == (5, 3 * 2**number, (2,) * number)
    x = torch.randn(1, 3, *(2,) * number)
    found = view.of(module.weight.detach()) @ x.flatten()
    torch.testing.assert_close(found, module(x).flatten().detach())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_declared_transposed_convolution_has_its_outputs_as_rows(wire, number):
    kinds = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d]
    module = kinds[number - 1](3, 5, 2, bias=False)
    (matrix,) = wire({"up.weight": module.weight.data}, transposed=["up*"]).matrices
    view = matrix.view
    assert (view.rows, view.columns, view.kernel) == (5, 3 * 2**number, (2,) * number)
    x = torch.randn(1, 3, *(1,) * number)
    taken = view.of(module.weight.detach()).unflatten(1, (3, -1))
    found = torch.einsum("oip,i->op", taken, x.flatten())
    torch.testing.assert_close(found, module(x).detach().view(5, -1))


def test_pattern_of_transposed_tensors_that_matches_none_is_refused(wire):
    with pytest.raises(SpecflowError, match=r"transposed: 'tconv\*' matches none of the 1 matr"):
        wire({"conv.weight": (2, 3, 1)}, transposed=["tconv*"])


def test_of_several_bad_names_the_first_is_told_in_every_process():
    with pytest.raises(SpecflowError, match="model: a tensor has the name 'bad//0'"):
        check_names("model", ["fine", *(f"bad//{number}" for number in range(20))])
