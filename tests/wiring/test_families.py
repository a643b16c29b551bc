"""Public families are recognized by names and shapes; wrappers and towers change nothing."""

import pytest
import torch
from tests.wiring import families
from tests.wiring.families import D, H

from specflow.errors import SpecflowError
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo


def labels(items):
    return [item.label for item in items]


@pytest.mark.parametrize("name", families.SEQUENTIAL)
def test_attention_writes_what_the_mlp_reads_and_that_what_the_next_block_reads(wire, name):
    wiring = wire(families.SEQUENTIAL[name], num_heads=H)
    found = set(labels(wiring.pairs))
    unit = "expert 3 " if name == "Mixtral" else ""
    assert "block 1 query -> block 1 key" in found
    assert "block 1 value -> block 1 attention out" in found
    assert f"block 1 attention out -> block 1 {unit}MLP in" in found
    assert f"block 1 {unit}MLP in -> block 1 {unit}MLP out" in found
    for reader in ("query", "key", "value"):
        assert f"block 1 {unit}MLP out -> block 2 {reader}" in found
        assert f"block 1 attention out -> block 2 {reader}" not in found
    assert not [label for label in found if label.startswith("block 1 MLP out -> block 2 MLP")]


@pytest.mark.parametrize("name", families.PARALLEL)
def test_in_parallel_blocks_the_mlp_reads_what_the_attention_reads(wire, name):
    wiring = wire(families.PARALLEL[name], num_heads=H)
    found = set(labels(wiring.pairs))
    for writer in ("attention out", "MLP out"):
        for reader in ("query", "key", "value", "MLP in"):
            assert f"block 1 {writer} -> block 2 {reader}" in found
    assert "block 1 attention out -> block 1 MLP in" not in found
    assert "block 2 attention out -> block 2 MLP in" not in found
    assert "embedding -> block 1 MLP in" in found


@pytest.mark.parametrize("name", families.EVERY)
def test_every_tensor_has_a_role_or_a_reason_and_everything_fits(wire, name):
    tensors = families.EVERY[name]
    wiring = wire(tensors, num_heads=H)
    assert {m.view.tensor for m in wiring.matrices} | set(wiring.skipped) == set(tensors)
    assert all(matrix.role for matrix in wiring.matrices)
    assert all(pair.fits for pair in wiring.pairs)
    assert len(set(labels(wiring.matrices))) == len(wiring.matrices)
    assert not wiring.notes


@pytest.mark.parametrize("name", ["BERT", "ModernBERT"])
def test_a_layer_between_the_blocks_and_the_output_reads_the_last_block(wire, name):
    found = labels(wire(families.EVERY[name]).pairs)
    assert {"block 2 MLP out -> head", "head -> output"} <= set(found)
    assert "block 2 MLP out -> output" not in found


def test_patches_feed_the_first_block_by_their_outputs(wire):
    (meeting,) = next(p for p in wire(families.TIMM_VIT).pairs if "patch" in p.label).meetings
    assert (meeting.previous_side, meeting.following_side) == ("left", "right")


def towers():
    text = {f"text_model.{n}": s for n, s in families.OPT.items() if "lm_head" not in n}
    image = {f"vision_model.{n}": s for n, s in families.TIMM_VIT.items() if "head" not in n}
    last = {"text_projection.weight": (5, 8), "visual_projection.weight": (5, 8)}
    return text | image | last


def test_towers_have_their_own_heads_and_outputs(wire):
    infos = {n: TensorInfo(s, torch.float32) for n, s in towers().items()}
    config = {
        "text_config": {"num_attention_heads": 2},
        "vision_config": {"num_attention_heads": 4},
    }
    wiring = wiring_of(infos, LayoutParams(), Structure("config.json", config=config))
    pairs = {pair.label: pair for pair in wiring.pairs}
    text, image = "text_model.model.decoder block", "vision_model block"
    assert len(pairs[f"{text} 1 query -> {text} 1 key"].meetings) == 2
    assert len(pairs[f"{image} 1 query -> {image} 1 key"].meetings) == 4
    assert f"{text} 2 MLP out -> text_projection output" in pairs
    assert f"{image} 2 MLP out -> visual_projection output" in pairs
    assert not [p for p in pairs if p.startswith(text) and f"-> {image}" in p]
    with pytest.raises(SpecflowError, match=r"num_heads: got 4; expected 2 in text_model.*config"):
        wiring_of(infos, LayoutParams(num_heads=4), Structure("config.json", config=config))


def test_shapes_tell_heads_and_a_divisor_of_their_number_is_refused(wire):
    normed = dict(families.OPT)
    for index in range(2):
        normed[f"model.decoder.layers.{index}.self_attn.q_norm.weight"] = (2,)
    pairs = {pair.label: pair for pair in wire(normed).pairs}
    assert len(pairs["block 1 query -> block 1 key"].meetings) == 4
    with pytest.raises(SpecflowError, match=r"got 2; expected 4 in model.decoder.layers.\*, by sh"):
        wire(normed, num_heads=2)


def test_norms_of_all_heads_tell_no_number_of_heads(wire):
    """OLMo 2: one norm of all queries, one of all keys."""
    tensors = dict(families.MIXTRAL)
    for index in range(2):
        tensors[f"model.layers.{index}.self_attn.q_norm.weight"] = (families.D,)
        tensors[f"model.layers.{index}.self_attn.k_norm.weight"] = (families.KV * families.SIZE,)
    wiring = wire(tensors)
    assert wiring.analysed[1] == "layout: 2 blocks in model.layers (heads not known, 3 experts)"
    assert any("num_heads is not given" in note for note in wiring.notes)


def test_attention_and_state_space_of_a_block_read_the_same(wire):
    found = set(labels(wire(families.FALCON_H1, num_heads=H).pairs))
    for writer in ("attention out", "mixer out"):
        assert f"block 1 {writer} -> block 1 MLP in" in found
    for reader in ("query", "mixer in"):
        assert f"block 1 MLP out -> block 2 {reader}" in found
    assert "block 1 attention out -> block 1 mixer in" not in found


def test_a_convolution_in_an_mlp_stands_between_its_layers(wire):
    found = labels(wire(families.SEGFORMER, num_heads=H).pairs)
    assert "block 1 MLP in -> block 1 MLP convolution" in found
    assert "block 1 MLP convolution -> block 1 MLP out" in found
    assert "block 1 MLP in -> block 1 MLP out" not in found


def test_a_layer_that_is_called_as_one_of_an_attention_is_none_alone(wire):
    wiring = wire(
        {"layers.0.conv.in_proj.weight": (12, 4), "layers.0.conv.out_proj.weight": (4, 6)}
    )
    assert [matrix.role for matrix in wiring.matrices] == ["", ""]


def test_blocks_of_which_one_is_not_whole_are_noted(wire):
    tensors = dict(families.OPT)
    del tensors["model.decoder.layers.0.fc2.weight"]
    (note,) = (n for n in wire(tensors, num_heads=H).notes if "fewer" in n)
    assert note == "model.decoder.layers.*: blocks 1 have fewer matrices than the others"
    found = labels(wire(tensors, num_heads=H).pairs)
    assert not [label for label in found if label.endswith("block 2 query")]


def test_what_is_analysed_is_said(wire):
    said = wire(families.TIMM_VIT, num_heads=H).analysed
    assert said[0] == "structure: from names and shapes"
    assert said[1] == "layout: 2 blocks in blocks (4 heads)"
    sizes = sum(torch.Size(s).numel() for s in families.TIMM_VIT.values())
    left = 1 * 8 + 5 * 8 + 4 * 8
    assert f"{sizes - left:,} of {sizes:,} parameters" in said[2]
    assert any("2 x tokens or positions: cls_token, pos_embed" in line for line in said)
    assert any("none found" in line for line in wire({"w": torch.ones(3, 4)}).analysed)


def attention(blocks, norms=()):
    """Shapes of blocks whose query, key, value and output have these rows, rows, rows, columns."""
    shapes = {}
    for index, (query, key, value, read) in enumerate(blocks):
        at = f"h.{index}."
        shapes |= {f"{at}self_attn.q_proj.weight": (query, D), f"{at}norm.weight": (D,)}
        shapes |= {f"{at}self_attn.k_proj.weight": (key, D), f"{at}norm2.weight": (D,)}
        shapes |= {f"{at}self_attn.v_proj.weight": (value, D)}
        shapes |= {f"{at}self_attn.o_proj.weight": (D, read)}
        shapes |= {f"{at}{name}.weight": (size,) for name, size in norms}
    return {name: TensorInfo(shape, torch.float32) for name, shape in shapes.items()}


def meetings_of(infos, structure):
    wiring = wiring_of(infos, LayoutParams(), structure)
    found = {pair.label: len(pair.meetings) for pair in wiring.pairs}
    return [found.get(f"block {n} query -> block {n} key") for n in (1, 2)], wiring.notes


@pytest.mark.parametrize("rows", [(6, 6, 6, 6), (12, 4, 4, 12), (5, 5, 5, 5), (8, 6, 8, 8)])
def test_a_block_of_other_rows_has_no_heads_of_the_first_one(rows):
    """Heads that were pruned, or are larger: a divisor of the rows of both is not their number."""
    infos = attention([(8, 8, 8, 8), rows])
    config = Structure("config.json", config={"num_attention_heads": 2})
    meetings, notes = meetings_of(infos, config)
    assert meetings == [2, None]
    assert any("h.*: blocks 2 have other rows of queries" in note for note in notes)


def test_modules_tell_the_heads_of_each_block():
    infos = attention([(8, 8, 8, 8), (6, 6, 6, 6)])
    heads = {"h.0.self_attn": 4, "h.1.self_attn": 3}
    meetings, notes = meetings_of(infos, Structure("the module", heads=heads))
    assert meetings == [4, 3]
    assert not any("heads are not known" in note for note in notes)


def test_queries_with_a_gate_among_their_rows_have_no_heads_that_fit():
    """Qwen3-Next: 4 heads of 2, each with its gate, read 2 heads of keys and of values."""
    infos = attention([(16, 4, 4, 8)] * 2, [("self_attn.q_norm", 2)])
    config = Structure("config.json", config={"num_attention_heads": 4})
    meetings, notes = meetings_of(infos, config)
    assert meetings == [None, None]
    assert any("queries are not compared" in note for note in notes)
