"""Of a file in which a tensor is missing, no pair is made up across the hole."""

import re
from itertools import groupby, takewhile

import pytest
import torch
from tests.wiring import families, made_up
from tests.wiring.families import D, F, H
from torch import nn

from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo


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


BLOCKS = 4
NUMBER = re.compile(r"((?:stages\.0\.)?\D*\.)(\d+)\.")


def number_in(name):
    """The number of the block that a tensor is in."""
    found = NUMBER.match(name)
    return -1 if found is None else int(found[2])


TIED = {
    "GPT-2": "GPT2LMHeadModel",
    "GPT-Neo": "GPTNeoForCausalLM",
    "tied Llama": "LlamaForCausalLM",
    "Cohere": "CohereForCausalLM",
}
DEEP = EVERY | {"tied Llama": {n: s for n, s in EVERY["Llama"].items() if "lm_head" not in n}}
DEEP["Cohere"] = DEEP["Cohere"] | {"model.norm.weight": (D,)}
DEEP["SegFormer"] = dict(sorted(DEEP["SegFormer"].items(), key=lambda item: number_in(item[0])))
DEEP = {n: s for n, s in DEEP.items() if n not in ("ResNet", "nn.Sequential", "nn.LSTM")}


def deeper(shapes):
    """The layout with more blocks, in order of depth."""
    found = {}
    for number, names in groupby(shapes, number_in):
        own = {name: shapes[name] for name in names}
        for deep in range(1, BLOCKS) if number == 1 else [number]:
            found |= {
                NUMBER.sub(rf"\g<1>{deep}.", name, count=1): shape for name, shape in own.items()
            }
    return found


def without_tail(shapes, first):
    """The file without its last blocks, those from number `first` on."""
    return {name: shape for name, shape in shapes.items() if number_in(name) < first}


def first_part(shapes, first):
    """The file up to its last blocks: a shard, which lacks what stands behind them too."""
    return dict(takewhile(lambda item: number_in(item[0]) < first, shapes.items()))


def met_of(shapes, config):
    infos = {n: TensorInfo(tuple(s), torch.float32) for n, s in shapes.items()}
    wiring = wiring_of(infos, LayoutParams(num_heads=H), Structure("config.json", config=config))
    is_cut = any("counts other blocks than are there" in note for note in wiring.notes)
    return met(wiring), [pair.label for pair in wiring.pairs], is_cut


def config_of(name):
    """What config.json says of a network, the number of its blocks included."""
    counted = {"num_hidden_layers": BLOCKS, "decoder_layers": BLOCKS}
    tied = {"architectures": [TIED[name]], "tie_word_embeddings": True} if name in TIED else {}
    return counted | tied


@pytest.mark.parametrize("first", range(1, BLOCKS))
@pytest.mark.parametrize("name", DEEP)
def test_without_its_last_blocks_no_pair_is_there_that_was_not(name, first):
    shapes, config = deeper(DEEP[name]), config_of(name)
    uncounted = {key: value for key, value in config.items() if "layers" not in key}
    shard = first_part(shapes, first)
    for cut, known in (
        (without_tail(shapes, first), config),
        (shard, config),
        (shard, uncounted),
        (shard, {}),
    ):
        (whole, *_), (left, _, is_cut) = met_of(shapes, known), met_of(cut, known)
        assert is_cut == (known is config and name != "SegFormer")  # whose blocks are of stages
        assert left
        assert [str(pair) for pair in left if not is_among(pair, whole)] == [], known


@pytest.mark.parametrize("name", TIED)
def test_a_whole_tied_network_ends_with_its_embedding(name):
    shapes, config = deeper(DEEP[name]), config_of(name)
    end = f"block {BLOCKS} MLP out -> embedding"
    _, labels, is_cut = met_of(shapes, config)
    assert end in labels
    assert not is_cut
    assert (end in met_of(shapes, {})[1]) == (name in ("GPT-2", "GPT-Neo"))
    assert end not in met_of(shapes, config | {"num_hidden_layers": BLOCKS + 8})[1]
    normless = {n: s for n, s in shapes.items() if not re.search(r"(ln_f|model\.norm)\.weight", n)}
    assert end not in met_of(normless, config)[1]
    assert end in met_of(normless, config | {"model_type": "olmo"})[1]
