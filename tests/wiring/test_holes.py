"""Of a file in which a tensor is missing, no pair is made up across the hole."""

import pytest
from tests.wiring import families, made_up
from tests.wiring.families import D, F, H
from torch import nn


def met(wiring):
    """Which views meet."""
    return [(m.previous, m.following) for pair in wiring.pairs for m in pair.meetings]


def is_among(pair, whole):
    """Whether two views meet in a whole file, or hold views that do (where nothing cuts them)."""
    return any(pair[0].holds(a) and pair[1].holds(b) for a, b in whole)


def of_one_block(shapes):
    return {name: shape for name, shape in shapes.items() if ".1." not in name}


def convolutional():
    block = {"conv1": (8, 8, 1, 1), "conv2": (8, 8, 3, 3), "conv3": (8, 8, 1, 1)}
    blocks = {
        f"layer1.{index}.{name}.weight": shape
        for index in range(2)
        for name, shape in block.items()
    }
    return {"conv1.weight": (8, 3, 7, 7), **blocks, "fc.weight": (5, 8)}


SEQUENCE = nn.Sequential(*(layer for _ in range(3) for layer in (nn.Linear(6, 6), nn.ReLU())))
EVERY = {
    **families.EVERY,
    "Falcon-H1": families.FALCON_H1,
    "SegFormer": families.SEGFORMER,
    "GPT-NeoX": {n: tuple(t.shape) for n, t in made_up.gpt_neox().items()},
    "GPT-2": {n: tuple(t.shape) for n, t in made_up.gpt2().items()},
    "Llama": {n: tuple(t.shape) for n, t in made_up.llama().items()},
    "nn.Transformer": {
        n: tuple(t.shape)
        for n, t in nn.Transformer(D, H, 2, 2, F, batch_first=True).state_dict().items()
    },
    "ResNet": convolutional(),
    "nn.Sequential": {n: tuple(t.shape) for n, t in SEQUENCE.state_dict().items()},
    "nn.LSTM": {
        n: tuple(t.shape) for n, t in nn.LSTM(4, 4, 2, bidirectional=True).named_parameters()
    },
}
ALL = EVERY | {f"one block of {name}": of_one_block(shapes) for name, shapes in EVERY.items()}


@pytest.mark.parametrize("heads", [None, H])
@pytest.mark.parametrize("name", ALL)
def test_without_any_one_tensor_no_pair_is_there_that_was_not(wire, name, heads):
    shapes = ALL[name]
    whole = met(wire(shapes, num_heads=heads))
    assert whole
    for missing in shapes:
        left = met(wire({n: s for n, s in shapes.items() if n != missing}, num_heads=heads))
        assert [str(pair) for pair in left if not is_among(pair, whole)] == [], missing
        assert missing not in {view.tensor for pair in left for view in pair}


def test_without_all_the_attention_of_a_block_its_mlp_reads_nothing(wire):
    shapes = EVERY["Llama"]
    rest = {n: s for n, s in shapes.items() if not n.startswith("model.layers.1.self_attn")}
    found = {pair.label for pair in wire(rest).pairs}
    assert not [label for label in found if label.startswith("block 1 ") and "-> block 2" in label]
    assert "block 2 MLP in -> block 2 MLP out" in found
