import pytest
import torch
from torch import nn

from specflow.wiring import Matrix, View
from specflow.wiring.lstm import lstm_wiring


def wiring(num_layers, bidirectional):
    module = nn.LSTM(5, 6, num_layers, bidirectional=bidirectional)
    matrices = [
        Matrix(f"lstm.{name}", name, View(f"lstm.{name}", tuple(weight.shape)))
        for name, weight in module.named_parameters()
        if weight.ndim == 2
    ]
    columns = 12 if bidirectional else 6
    output = Matrix("output.weight", "output", View("output.weight", (4, columns)), "output")
    return lstm_wiring(reversed(matrices), output)


def test_one_direction_is_a_chain_of_inputs_and_hidden_states():
    found = wiring(2, False)
    assert [m.label for m in found.matrices] == [
        "layer 1 input",
        "layer 1 hidden",
        "layer 2 input",
        "layer 2 hidden",
        "output",
    ]
    assert [pair.label for pair in found.pairs] == [
        "layer 1 input -> layer 1 hidden",
        "layer 1 input -> layer 2 input",
        "layer 1 hidden -> layer 2 input",
        "layer 2 input -> layer 2 hidden",
        "layer 2 input -> output",
        "layer 2 hidden -> output",
    ]


def test_gate_g_of_a_direction_meets_its_half_of_the_columns_above():
    found = wiring(2, True)
    assert all(pair.fits for pair in found.pairs)
    pairs = {pair.label: pair.meetings[0] for pair in found.pairs}
    above = pairs["layer 1 reverse hidden -> layer 2 reverse input"]
    rows, columns = torch.arange(24.0)[:, None], torch.arange(12.0)
    assert above.previous.of(rows.expand(24, 6))[:, 0].tolist() == list(range(12, 18))
    assert above.following.of(rows.expand(24, 12))[:, 0].tolist() == list(range(12, 18))
    assert above.following.of(columns.expand(24, 12))[0].tolist() == list(range(6, 12))
    last = pairs["layer 2 input -> output"].following
    assert last.of(columns.expand(4, 12))[:, 0].tolist() == [0, 0, 0, 0]
    assert last.columns == 6


@pytest.mark.parametrize("kind", [nn.GRU(4, 6, 2), nn.RNN(4, 6, 2), nn.LSTM(4, 6, 2, proj_size=3)])
def test_recurrent_layers_of_other_kinds_have_no_pairs(wire, kind):
    found = wire(kind.state_dict())
    assert not found.pairs
    assert "weight_hh_l1" in [matrix.name for matrix in found.matrices]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_recognized_lstm_is_wired_as_a_declared_one(wire, bidirectional):
    module = nn.ModuleDict(
        {
            "lstm": nn.LSTM(5, 6, 2, bidirectional=bidirectional),
            "output": nn.Linear(12 if bidirectional else 6, 4),
        }
    )
    found, declared = wire(module.state_dict()), wiring(2, bidirectional)
    assert [(m.label, m.view) for m in found.matrices] == [
        (m.label, m.view) for m in declared.matrices
    ]
    assert found.pairs == declared.pairs


def test_two_lstms_are_named_apart_and_have_no_output(wire):
    module = nn.ModuleDict({"a": nn.LSTM(4, 6), "b": nn.LSTM(4, 6), "output": nn.Linear(6, 3)})
    assert [pair.label for pair in wire(module.state_dict()).pairs] == [
        "a layer 1 input -> a layer 1 hidden",
        "b layer 1 input -> b layer 1 hidden",
    ]
