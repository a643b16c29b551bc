import pytest
import torch
from tests.wiring import made_up
from torch import nn

from specflow.errors import SpecflowError

ATTENTION = ("query", "key", "value")
INSIDE = (
    "block {0} query -> block {0} key",
    "block {0} value -> block {0} attention out",
    "block {0} attention out -> block {0} MLP in",
    "block {0} MLP in -> block {0} MLP out",
)
GATED = (
    *INSIDE[:2],
    "block {0} attention out -> block {0} MLP gate",
    INSIDE[2],
    "block {0} MLP gate -> block {0} MLP out",
    INSIDE[3],
)


def expected_pairs(output="output", readers=ATTENTION, inside=INSIDE):
    """Of two blocks."""
    return [
        *(f"embedding -> block 1 {reader}" for reader in readers),
        *(pair.format(1) for pair in inside),
        *(f"block 1 MLP out -> block 2 {reader}" for reader in readers),
        *(pair.format(2) for pair in inside),
        f"block 2 MLP out -> {output}",
    ]


def parallel_pairs(readers=ATTENTION, inside=(*INSIDE[:2], INSIDE[3]), output="output"):
    """Of two blocks in which the MLP reads what the attention reads."""
    every = (*readers, "MLP in")
    writers = ("attention out", "MLP out")
    return [
        *(f"embedding -> block 1 {reader}" for reader in every),
        *(pair.format(1) for pair in inside),
        *(f"block 1 {writer} -> block 2 {reader}" for writer in writers for reader in every),
        *(pair.format(2) for pair in inside),
        *(f"block 2 {writer} -> {output}" for writer in writers),
    ]


def labels(items):
    return [item.label for item in items]


def test_gpt_neox_has_all_pairs_in_order_of_depth(wire):
    wiring = wire(made_up.gpt_neox(), num_heads=2)
    assert labels(wiring.pairs) == parallel_pairs()
    roles = (*ATTENTION, "attention out", "MLP in", "MLP out")
    inner = [f"block {number} {role}" for number in (1, 2) for role in roles]
    assert labels(wiring.matrices) == ["embedding", *inner, "output"]
    assert wiring.matrices[1].name == "gpt_neox.layers.0.attention.query_key_value:q"
    (note,) = wiring.notes
    assert "taken as parallel, as GPT-NeoX has them by default" in note
    assert all(pair.fits for pair in wiring.pairs)


def test_every_tensor_is_analysed_or_skipped_with_a_reason(wire):
    tensors = made_up.gpt_neox()
    wiring = wire(tensors, num_heads=2)
    assert {m.view.tensor for m in wiring.matrices} | set(wiring.skipped) == set(tensors)
    assert not {m.view.tensor for m in wiring.matrices} & set(wiring.skipped)
    block = "gpt_neox.layers.1.attention"
    assert wiring.skipped[f"{block}.bias"] == "a bias (or causal mask) of shape (1, 1, 16, 16)"
    assert wiring.skipped[f"{block}.masked_bias"] == "a scalar"
    assert wiring.skipped[f"{block}.rotary_emb.inv_freq"].startswith("one dimension")


def test_embedding_gives_its_right_side_and_keys_their_left(wire):
    pairs = {pair.label: pair for pair in wire(made_up.gpt_neox(), num_heads=2).pairs}
    (into,) = pairs["embedding -> block 1 query"].meetings
    assert (into.previous_side, into.following_side) == ("right", "right")
    heads = pairs["block 1 query -> block 1 key"].meetings
    assert [(m.previous_side, m.following_side) for m in heads] == [("left", "left")] * 2
    assert [m.previous.rows for m in heads] == [4, 4]


def test_gpt_neox_of_unknown_heads_stays_whole_and_says_so(wire):
    wiring = wire(made_up.gpt_neox())
    assert wiring.matrices[1].label == "block 1 attention in"
    assert (wiring.matrices[1].view.rows, wiring.matrices[1].view.columns) == (24, 8)
    assert labels(wiring.pairs) == parallel_pairs(readers=["attention in"], inside=INSIDE[3:])
    (note,) = (note for note in wiring.notes if "whole" in note)
    assert "2 fused matrices stay whole: it lies by heads, whose number is not known" in note


def test_heads_that_do_not_fit_are_refused(wire):
    for tensors in (made_up.gpt_neox(), made_up.llama()):
        with pytest.raises(SpecflowError, match="num_heads: got 5; expected a divisor of the 8"):
            wire(tensors, num_heads=5)


@pytest.mark.parametrize("prefix", ["", "transformer.", "_orig_mod.transformer."])
@pytest.mark.parametrize("linear", [False, True])
def test_gpt2_has_all_pairs_and_its_embedding_as_output(wire, prefix, linear):
    wiring = wire(made_up.gpt2(prefix=prefix, linear=linear), num_heads=2)
    assert labels(wiring.pairs) == expected_pairs(output="embedding")
    assert labels(wiring.matrices)[:2] == ["embedding", "positions"]
    assert (wiring.pairs[-1].meetings[0].following_side) == "right"
    shapes = {m.label: (m.view.rows, m.view.columns) for m in wiring.matrices}
    assert shapes["block 1 query"] == (8, 8)
    assert shapes["block 1 MLP in"] == (32, 8)
    assert shapes["block 1 MLP out"] == (8, 32)
    assert all(pair.fits for pair in wiring.pairs)


def test_gpt2_with_an_output_layer_ends_there(wire):
    tensors = made_up.gpt2(prefix="transformer.") | {"lm_head.weight": torch.ones(11, 8)}
    assert labels(wire(tensors, num_heads=2).pairs) == expected_pairs()


@pytest.mark.parametrize("head", [True, False])
def test_llama_pairs_gate_and_up_with_down_and_ends_with_its_output_layer(wire, head):
    wiring = wire(made_up.llama(head=head), num_heads=2)
    expected = expected_pairs(inside=GATED)
    assert labels(wiring.pairs) == (expected if head else expected[:-1])
    assert all(pair.fits for pair in wiring.pairs)


def test_grouped_queries_share_keys_and_read_their_value(wire):
    wiring = wire(made_up.llama(kv=4), num_heads=4)
    pairs = {pair.label: pair for pair in wiring.pairs}
    assert not wiring.notes
    values = pairs["block 1 value -> block 1 attention out"].meetings
    assert [m.previous == values[0].previous for m in values] == [True, True, False, False]
    assert [m.following.columns for m in values] == [2] * 4
    assert len({m.following for m in values}) == 4
    keys = [m.following for m in pairs["block 1 query -> block 1 key"].meetings]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert {(view.tensor, view.rows) for view in keys} == {
        ("model.layers.0.self_attn.k_proj.weight", 2)
    }
    assert all(pair.fits for pair in wiring.pairs)


def test_unknown_heads_are_noted_and_compared_with_nothing(wire):
    wiring = wire(made_up.llama())
    assert not [pair for pair in labels(wiring.pairs) if "query -> " in pair]
    (note,) = wiring.notes
    assert "num_heads is not given: 2 queries are not compared with their keys" in note
    assert len(wiring.views) == len(wiring.matrices)


def test_blocks_are_ordered_by_number(wire):
    tensors = made_up.llama(blocks=11)
    wiring = wire(dict(sorted(tensors.items())))
    numbers = [m.label.split()[1] for m in wiring.matrices if m.label.endswith("query")]
    assert numbers == [str(number) for number in range(1, 12)]
    assert "block 10 MLP out -> block 11 query" in labels(wiring.pairs)
    assert "block 1 MLP out -> block 11 query" not in labels(wiring.pairs)


def test_left_out_matrices_take_their_pairs_with_them(wire):
    wiring = wire(made_up.gpt_neox(blocks=3), num_heads=2, exclude=["*layers.1.*", "*:k"])
    assert "block 1 MLP out -> block 3 query" not in labels(wiring.pairs)
    assert "block 1 query -> block 1 key" not in labels(wiring.pairs)
    assert "block 3 value -> block 3 attention out" in labels(wiring.pairs)
    assert wiring.skipped["gpt_neox.layers.1.attention.query_key_value.weight"] == "in exclude"
    assert wiring.skipped["gpt_neox.layers.0.attention.query_key_value:k"] == "in exclude"
    assert len(wiring.views) == len(wiring.matrices)


def test_last_block_that_is_left_out_does_not_make_another_the_last(wire):
    wiring = wire(made_up.gpt_neox(), num_heads=2, exclude=["*layers.1.*"])
    assert "block 1 MLP out -> output" not in labels(wiring.pairs)


def test_only_what_is_included_is_analysed(wire):
    wiring = wire(made_up.llama(), include=["*mlp*", "lm_head.weight"])
    assert {m.label.split(" ", 2)[-1] for m in wiring.matrices} == {
        "MLP gate",
        "MLP in",
        "MLP out",
        "output",
    }
    assert wiring.skipped["model.embed_tokens.weight"] == "not in include"


def test_nothing_left_is_refused(wire):
    with pytest.raises(SpecflowError, match="no matrix is left of 21 tensors"):
        wire(made_up.llama(), include=["nothing"])


def test_layout_that_is_not_there_is_refused(wire):
    with pytest.raises(SpecflowError, match="layout: got 'gpt2', but the tensors are"):
        wire(made_up.llama(), layout="gpt2")


def test_two_layouts_at_once_are_each_recognized(wire):
    both = made_up.llama() | made_up.gpt2()
    for one in (made_up.llama(), made_up.gpt2()):
        alone, beside = ({m.view for m in wire(some, num_heads=2).matrices} for some in (one, both))
        assert alone <= beside
    found = labels(wire(both, num_heads=2).pairs)
    assert "model block 1 MLP out -> model block 2 query" in found
    assert "h block 1 MLP out -> h block 2 query" in found


def test_stacks_that_may_be_experts_are_noted_where_nothing_cuts_them(wire):
    name = "blocks.0.moe.expert_weights"
    tensors = {name: torch.zeros(4, 6, 8), "head.weight": torch.zeros(3, 8)}
    (note,) = wire(tensors).notes
    assert note.startswith("1 tensors of three dimensions are read as convolutions")
    assert note.endswith(name)
    rule = {"match": "*expert*", "split": None}
    assert not wire(tensors, fused=[rule]).notes
    plain = {"conv.weight": torch.zeros(4, 3, 3)}
    assert wire(plain).notes == ()


def test_layout_none_gives_whole_matrices_without_pairs(wire):
    wiring = wire(made_up.gpt_neox(), layout="none", num_heads=2)
    assert "gpt_neox.layers.0.attention.query_key_value" in [m.name for m in wiring.matrices]
    assert not wiring.pairs


def test_layout_torch_takes_any_network(wire):
    wiring = wire(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).state_dict(), layout="torch")
    assert labels(wiring.matrices) == ["0", "1"]


def test_stacks_of_encoder_and_decoder_are_kept_apart(wire):
    module = nn.Transformer(8, 2, 2, 2, 12, batch_first=True)
    wiring = wire(module.state_dict(), num_heads=2)
    found = labels(wiring.pairs)
    assert "encoder block 1 MLP out -> encoder block 2 query" in found
    assert "decoder block 1 value -> decoder block 1 attention out" in found
    assert "decoder block 1 cross query -> decoder block 1 cross key" in found
    assert "decoder block 1 cross value -> decoder block 1 cross attention out" in found
    assert "decoder block 1 attention out -> decoder block 1 cross query" in found
    assert "decoder block 1 cross attention out -> decoder block 1 MLP in" in found
    into = [label for label in found if label.startswith("encoder") and "-> decoder" in label]
    reading = [f"decoder block {n} cross {part}" for n in (1, 2) for part in ("key", "value")]
    assert into == [f"encoder block 2 MLP out -> {reader}" for reader in reading]
    assert len(wiring.matrices) == len({m.label for m in wiring.matrices}) == 2 * 6 + 2 * 10
