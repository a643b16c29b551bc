"""`transformer_wiring` and `lstm_wiring` say what our models declared by themselves.

To go when the models call these functions.
"""

import pytest

from specflow.measure.views import matrix_of
from specflow.models.lstm import Lstm
from specflow.models.transformer import Transformer
from specflow.params.datasets import TokenShape
from specflow.params.models import LstmParams, TransformerParams
from specflow.params.speech import SpeechShape
from specflow.wiring import Matrix, View
from specflow.wiring.lstm import lstm_wiring
from specflow.wiring.transformer import transformer_wiring


def matrix(weights, name, label="", role=""):
    return Matrix(name, label, View(name, tuple(weights[name].shape)), role)


def assert_same(old, new, weights):
    assert [(m.view.parameter, m.label) for m in old.matrices] == [
        (m.name, m.label) for m in new.matrices
    ]
    assert [pair.label for pair in old.pairs] == [pair.label for pair in new.pairs]
    assert list(old.inner) == [m.name for m in new.inner]
    for pair, other in zip(old.pairs, new.pairs, strict=True):
        assert other.fits
        for m, n in zip(pair.meetings, other.meetings, strict=True):
            assert (m.previous_side, m.following_side) == (n.previous_side, n.following_side)
            for a, b in ((m.previous, n.previous), (m.following, n.following)):
                expected, found = matrix_of(a, weights), b.of(weights[b.tensor])
                assert (found.shape, found.stride()) == (expected.shape, expected.stride())
                assert found.data_ptr() == expected.data_ptr()


@pytest.mark.parametrize(("blocks", "heads"), [(1, 2), (2, 4), (3, 1)])
def test_transformer(blocks, heads):
    sizes = {"num_blocks": blocks, "d_model": 8, "num_heads": heads, "d_mlp": 12, "norm": "layer"}
    shape = TokenShape(num_tokens=9, length=4)
    network = Transformer(TransformerParams(kind="transformer", **sizes), shape)
    weights = network.state_dict()
    roles = {
        "self_attn.in_proj_weight": "attention in",
        "self_attn.out_proj.weight": "attention out",
        "linear1.weight": "MLP in",
        "linear2.weight": "MLP out",
    }
    found = transformer_wiring(
        matrix(weights, "embedding.weight", "embedding", "embedding"),
        [
            [
                matrix(weights, f"blocks.{index}.{name}", f"block {index + 1} {role}", role)
                for name, role in roles.items()
            ]
            for index in range(blocks)
        ],
        matrix(weights, "output.weight", "output", "output"),
        heads,
    )
    assert_same(network.wiring, found, weights)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm(layers, bidirectional):
    params = LstmParams(kind="lstm", num_layers=layers, hidden=6, bidirectional=bidirectional)
    network = Lstm(params, SpeechShape(num_features=5, characters="abcdef"))
    weights = network.state_dict()
    inner = [matrix(weights, name) for name in weights if "weight_" in name]
    output = matrix(weights, "output.weight", "output", "output")
    assert_same(network.wiring, lstm_wiring(inner, output), weights)
