import pytest
from torch import nn

from specflow.datasets.shapes import SpeechShape
from specflow.models.lstm import LstmParams

SHAPE = SpeechShape(num_features=5, characters="abc")


def labels(items):
    return [item.label for item in items]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_recognized_lstm_is_wired_as_a_declared_one(wire, bidirectional):
    section = LstmParams(kind="lstm", num_layers=2, hidden=6, bidirectional=bidirectional)
    model = section.build(SHAPE)
    found = wire(dict(reversed(model.state_dict().items())))
    assert [(m.label, m.view, m.role) for m in found.matrices] == [
        (m.label, m.view, m.role) for m in model.wiring.matrices
    ]
    assert found.pairs == model.wiring.pairs


def test_one_direction_is_a_chain_of_inputs_and_hidden_states(wire):
    module = nn.ModuleDict({"lstm": nn.LSTM(5, 6, 2), "output": nn.Linear(6, 4)})
    found = wire(module.state_dict())
    assert labels(found.matrices) == [
        "layer 1 input",
        "layer 1 hidden",
        "layer 2 input",
        "layer 2 hidden",
        "output",
    ]
    assert labels(found.pairs) == [
        "layer 1 input -> layer 1 hidden",
        "layer 1 input -> layer 2 input",
        "layer 1 hidden -> layer 2 input",
        "layer 2 input -> layer 2 hidden",
        "layer 2 input -> output",
        "layer 2 hidden -> output",
    ]


@pytest.mark.parametrize(
    "module",
    [nn.GRU(4, 6, 2), nn.RNN(4, 6, 2), nn.LSTM(4, 6, 2, proj_size=3)],
    ids=["gru", "rnn", "projected"],
)
def test_recurrent_layers_of_other_kinds_have_no_pairs(wire, module):
    found = wire(module.state_dict())
    assert not found.pairs
    assert "weight_hh_l1" in [matrix.name for matrix in found.matrices]


def test_two_lstms_are_named_apart_and_have_no_output(wire):
    module = nn.ModuleDict({"a": nn.LSTM(4, 6), "b": nn.LSTM(4, 6), "output": nn.Linear(6, 3)})
    assert labels(wire(module.state_dict()).pairs) == [
        "a layer 1 input -> a layer 1 hidden",
        "b layer 1 input -> b layer 1 hidden",
    ]
