"""Orientation is told by the shapes around a matrix or by the config, never by a name alone."""

import pytest
import torch
from tests.wiring import made_up
from tests.wiring.families import D, F, H

from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo


def wire(tensors, config=None, **changes):
    infos = {name: TensorInfo(tuple(value.shape), value.dtype) for name, value in tensors.items()}
    structure = Structure("config.json", config=config or {})
    return wiring_of(infos, LayoutParams(**changes), structure)


def turned(wiring):
    return {m.label for m in wiring.matrices if m.view.transposed and "block" in m.label}


def gpt2(attention, mlp, out):
    """A block by the shapes of its matrices as they lie in the file."""
    shapes = {"attn.c_attn": attention, "attn.c_proj": (D, D), "mlp.c_fc": mlp, "mlp.c_proj": out}
    tensors = {f"h.0.{name}.weight": torch.ones(shape) for name, shape in shapes.items()}
    return tensors | {f"h.0.ln_{number}.weight": torch.ones(D) for number in (1, 2)}


EVERY = {
    *(f"block 1 {role}" for role in ("query", "key", "value", "attention out", "MLP in")),
    "block 1 MLP out",
}


def test_a_square_matrix_lies_as_those_around_it():
    assert turned(wire(gpt2((D, 3 * D), (D, F), (F, D)))) == EVERY
    assert turned(wire(gpt2((3 * D, D), (F, D), (D, F)))) == set()


@pytest.mark.parametrize(("model", "expected"), [("gpt2", EVERY), ("gpt_bigcode", set())])
def test_an_mlp_as_wide_as_its_block_is_turned_by_the_config(model, expected):
    """Attention alone tells here; with a fused matrix of one head of keys it does not either."""
    tensors = gpt2((D, D), (D, D), (D, D))
    tensors["h.0.attn.q_proj.weight"] = tensors.pop("h.0.attn.c_attn.weight")
    labels = {"block 1 query", "block 1 attention out", "block 1 MLP in", "block 1 MLP out"}
    wiring = wire(tensors, {"model_type": model})
    assert turned(wiring) == expected & labels
    assert bool([note for note in wiring.notes if "all matrices are square" in note]) == bool(
        expected
    )


def test_what_modules_or_params_say_is_not_told_again_by_shapes():
    tensors = gpt2((D, 3 * D), (D, F), (F, D))
    declared = wire(tensors, transposed=["*"])
    assert turned(declared) == EVERY


def test_orientation_agrees_with_what_the_network_does():
    x = torch.randn(3, made_up.D, generator=torch.Generator().manual_seed(0))
    for linear in (False, True):
        tensors = made_up.gpt2(linear=linear)
        views = {m.label: m.view for m in wire(tensors, num_heads=2).matrices}
        view = views["block 1 MLP in"]
        weight = tensors[view.tensor]
        expected = x @ weight.T if linear else x @ weight
        torch.testing.assert_close(x @ view.of(weight).T, expected)


@pytest.mark.parametrize("heads", [3, 16, 5])
def test_heads_of_a_config_that_cannot_be_are_not_believed(heads):
    tensors = made_up.llama(kv=4)
    wiring = wire(tensors, {"num_attention_heads": heads})
    assert not [pair for pair in wiring.pairs if "query -> " in pair.label]
    assert any("num_heads is not given" in note for note in wiring.notes)
    found = wire(tensors, {"num_attention_heads": H})
    assert [pair for pair in found.pairs if "query -> " in pair.label]


def test_norms_inside_a_state_space_do_not_tell_the_width_between_blocks():
    """Mamba-2 and Zamba 2: each block has a norm of what its mixer holds, wider than the blocks."""
    inside = {"mamba.in_proj": (4 * D + 6, D), "mamba.out_proj": (D, 2 * D), "mamba.norm": (2 * D,)}
    tensors = {f"h.{i}.{n}.weight": torch.ones(s) for i in range(2) for n, s in inside.items()}
    wiring = wire(tensors | {"h.0.input_layernorm.weight": torch.ones(D)})
    assert turned(wiring) == set()
