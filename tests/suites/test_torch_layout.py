import pytest
import torch
from torch import nn

from specflow.measure.views import matrix_of
from specflow.models.lstm import Lstm
from specflow.models.transformer import Transformer
from specflow.params.datasets import TokenShape
from specflow.params.models import LstmParams, TransformerParams
from specflow.params.speech import SpeechShape


def labels(items):
    return [item.label for item in items]


def blocks_compared(wiring, weights):
    """The two matrices, and their sides, of every meeting of every pair."""
    return {
        pair.label: [
            (
                wiring.views[m.previous].take(weights[wiring.views[m.previous].parameter]),
                m.previous_side,
                wiring.views[m.following].take(weights[wiring.views[m.following].parameter]),
                m.following_side,
            )
            for m in pair.meetings
        ]
        for pair in wiring.pairs
    }


def own_blocks_compared(wiring, weights):
    return {
        pair.label: [
            (
                matrix_of(m.previous, weights),
                m.previous_side,
                matrix_of(m.following, weights),
                m.following_side,
            )
            for m in pair.meetings
        ]
        for pair in wiring.pairs
    }


def assert_same(found, expected):
    for (a, a_side, b, b_side), (c, c_side, d, d_side) in zip(found, expected, strict=True):
        assert (a_side, b_side) == (c_side, d_side)
        assert torch.equal(a, c)
        assert torch.equal(b, d)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_own_lstm_has_its_own_matrices_and_pairs(wire, bidirectional):
    params = LstmParams(kind="lstm", num_layers=2, hidden=6, bidirectional=bidirectional)
    network = Lstm(params, SpeechShape(num_features=5, characters="abcdef"))
    weights = network.state_dict()
    wiring = wire(weights)
    assert labels(wiring.matrices) == labels(network.wiring.matrices)
    found, expected = (
        blocks_compared(wiring, weights),
        own_blocks_compared(network.wiring, weights),
    )
    assert list(found) == list(expected)
    for label in expected:
        assert_same(found[label], expected[label])


def test_own_transformer_has_its_own_pairs_with_queries_keys_and_values_apart(wire):
    params = TransformerParams(
        kind="transformer", num_blocks=2, d_model=8, num_heads=2, d_mlp=12, norm="layer"
    )
    network = Transformer(params, TokenShape(num_tokens=9, length=4))
    weights = network.state_dict()
    found = blocks_compared(wire(weights, num_heads=2), weights)
    expected = own_blocks_compared(network.wiring, weights)
    fused = [label for label in expected if label.endswith("attention in")]
    for label in expected.keys() - set(fused):
        assert_same(found[label], expected[label])
    for label in fused:
        parts = [label.replace("attention in", part) for part in ("query", "key", "value")]
        rows = torch.cat([found.pop(part)[0][2] for part in parts])
        assert torch.equal(rows, expected[label][0][2])
    assert found.keys() == expected.keys() - set(fused)


def test_stacks_of_encoder_and_decoder_are_kept_apart(wire):
    module = nn.Transformer(8, 2, 2, 2, 12, batch_first=True)
    wiring = wire(module.state_dict(), num_heads=2)
    found = labels(wiring.pairs)
    assert "encoder block 1 MLP out -> encoder block 2 query" in found
    assert "decoder block 1 value -> decoder block 1 attention out" in found
    name = "decoder.layers.0.multihead_attn"
    assert f"{name} query -> {name} key" in found
    assert f"{name} value -> {name} attention out" in found
    assert not [label for label in found if label.startswith("encoder") and "-> decoder" in label]
    assert len(wiring.matrices) == len({m.label for m in wiring.matrices}) == 2 * 6 + 2 * 10


def test_recurrent_layers_of_other_kinds_have_no_pairs(wire):
    for module in (nn.GRU(4, 6, 2), nn.RNN(4, 6, 2), nn.LSTM(4, 6, 2, proj_size=3)):
        wiring = wire(module.state_dict())
        assert not wiring.pairs
        assert "weight_hh_l1" in wiring.views


def test_two_lstms_are_named_apart_and_have_no_output(wire):
    module = nn.ModuleDict({"a": nn.LSTM(4, 6), "b": nn.LSTM(4, 6), "output": nn.Linear(6, 3)})
    assert labels(wire(module.state_dict()).pairs) == [
        "a layer 1 input -> a layer 1 hidden",
        "b layer 1 input -> b layer 1 hidden",
    ]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_convolution_is_one_matrix_of_outputs_and_all_its_inputs(wire, number):
    module = [nn.Conv1d, nn.Conv2d, nn.Conv3d][number - 1](3, 5, 2, bias=False)
    (matrix,) = wire(module.state_dict()).matrices
    assert (matrix.rows, matrix.columns, matrix.kernel) == (5, 3 * 2**number, (2,) * number)
    x = torch.randn(1, 3, *(2,) * number)
    found = matrix.take(module.weight.detach()) @ x.flatten()
    torch.testing.assert_close(found, module(x).flatten().detach())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_declared_transposed_convolution_has_its_outputs_as_rows(wire, number):
    module = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d][number - 1](
        3, 5, 2, bias=False
    )
    (matrix,) = wire({"up.weight": module.weight.data}, transposed=["up*"]).matrices
    assert (matrix.rows, matrix.columns, matrix.kernel) == (5, 3 * 2**number, (2,) * number)
    x = torch.randn(1, 3, *(1,) * number)
    taken = matrix.take(module.weight.detach()).unflatten(1, (3, -1))
    found = torch.einsum("oip,i->op", taken, x.flatten())
    torch.testing.assert_close(found, module(x).detach().view(5, -1))


def test_layout_torch_takes_any_network(wire):
    wiring = wire(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).state_dict(), layout="torch")
    assert labels(wiring.matrices) == ["0", "1"]
