"""Where something unknown stands in an attention, nothing inside it is compared."""

import pytest
import torch
from tests.wiring.families import D, F, H
from torch.nn import functional


def blocks(attention, count=2):
    """Names and shapes of blocks of vision transformers with an attention of their own."""
    mlp = {"mlp.fc1.weight": (F, D), "mlp.fc2.weight": (D, F)}
    inside = {"norm1.weight": (D,), "norm2.weight": (D,), **attention, **mlp}
    return {f"blocks.{index}.{n}": shape for index in range(count) for n, shape in inside.items()}


PLAIN = {"attn.qkv.weight": (3 * D, D), "attn.proj.weight": (D, D)}
CPE = {"cpe1.proj.weight": (D, 1, 3, 3), "cpe2.proj.weight": (D, 1, 3, 3)}
POOLED = {f"attn.pool_{part}.weight": (D // H, 1, 3, 3) for part in "qkv"}
INSIDE = ("block 1 query -> block 1 key", "block 1 value -> block 1 attention out")


def labels(wiring):
    return {pair.label for pair in wiring.pairs}


@pytest.mark.parametrize(
    ("unknown", "named"),
    [(CPE, "cpe1"), (POOLED, "pool_q"), ({"attn.temperature": (H, 1, 1)}, "temperature")],
    ids=["DaViT", "MViTv2", "XCiT"],
)
def test_inside_an_attention_that_is_not_plain_nothing_is_compared(wire, unknown, named):
    wiring = wire(blocks(PLAIN | unknown), num_heads=H)
    assert not labels(wiring) & set(INSIDE)
    assert {
        "block 1 attention out -> block 1 MLP in",
        "block 1 MLP out -> block 2 query",
    } <= labels(wiring)
    (note,) = (note for note in wiring.notes if "nothing inside them is compared" in note)
    assert named in note
    assert not any("num_heads is not given" in note for note in wire(blocks(PLAIN | unknown)).notes)
    assert set(INSIDE) <= labels(wire(blocks(PLAIN), num_heads=H))


def over_channels(query, key, value):
    """DaViT's and XCiT's attention: channels of a head attend to channels."""
    q, k, v = (part.unflatten(-1, (H, -1)).transpose(0, 1) for part in (query, key, value))
    scores = (k.mT @ v).softmax(dim=-1)
    return (scores @ q.mT).mT.transpose(0, 1).flatten(1)


def over_tokens(query, key, value):
    q, k, v = (part.unflatten(-1, (H, -1)).transpose(0, 1) for part in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)


def places_of(view):
    """The rows and the columns of its tensor that a view takes."""
    rows, columns = view.shape
    number = torch.arange(rows * columns, dtype=torch.float64).view(rows, columns)
    taken = view.of(number).long()
    return (taken[:, 0] // columns).tolist(), (taken[0] % columns).tolist()


@pytest.mark.parametrize(
    ("attend", "marks", "meets"),
    [(over_tokens, {}, True), (over_channels, {"attn.temperature": (H, 1, 1)}, False)],
    ids=["over tokens", "over channels"],
)
def test_values_meet_the_output_where_each_of_theirs_is_one_of_its_inputs(
    wire, attend, marks, meets
):
    pairs = {p.label: p for p in wire(blocks(PLAIN | marks), num_heads=H).pairs}
    assert (INSIDE[1] in pairs) == meets
    plain = {p.label: p for p in wire(blocks(PLAIN), num_heads=H).pairs}
    (meeting,) = plain[INSIDE[1]].meetings
    generator = torch.Generator().manual_seed(0)
    x, qkv = (torch.randn(n, D, generator=generator, dtype=torch.float64) for n in (5, 3 * D))
    before = attend(*(x @ qkv.T).chunk(3, dim=-1))
    rows, columns = places_of(meeting.previous)[0], places_of(meeting.following)[1]
    assert len(rows) == len(columns) == D
    for row, column in zip(rows, columns, strict=True):
        changed = qkv.clone()
        changed[row] += torch.randn(D, generator=generator, dtype=torch.float64)
        moved = (attend(*(x @ changed.T).chunk(3, dim=-1)) - before).abs().amax(0) > 1e-9
        assert (moved.nonzero().flatten().tolist() == [column]) == meets


@pytest.mark.parametrize("names", [("q", "kv"), ("q_proj", "k_proj", "v_proj")])
def test_keys_that_read_a_shorter_sequence_do_not_read_the_block_before(wire, names):
    """PVT and SegFormer: a convolution with stride stands before keys and values."""
    rows = {name: (2 * D if name == "kv" else D, D) for name in names}
    own = {f"attn.{name}.weight": shape for name, shape in rows.items()}
    own |= {"attn.proj.weight": (D, D), "attn.sr.weight": (D, D, 2, 2)}
    found = labels(wire(blocks(own), num_heads=H))
    assert set(INSIDE) <= found
    assert "block 1 MLP out -> block 2 query" in found
    assert not found & {f"block 1 MLP out -> block 2 {part}" for part in ("key", "value")}


HARMLESS = (
    *("rel_pos.mlp.fc1", "pos_proj", "linear_pos", "gru_rel_pos_linear", "relative_bias", "r"),
    *("proj_l", "cpb_mlp.0", "distance_embedding", "query_global", "q_norm", "query_layernorm"),
    *("q_lora.0", "pos_bias_u"),
)
CHANGING = (
    *("positive_gate", "post_conv", "relu_mix", "relate", "unbiased_mix", "normalize_mix"),
    *("mix_global", "global_conv", "rotate", "flora", "pose", "linear_post", "proj_low"),
)


@pytest.mark.parametrize("name", [*HARMLESS, *CHANGING])
def test_what_only_adds_to_scores_is_told_by_whole_words(wire, name):
    shapes = blocks(PLAIN | {f"attn.{name}.weight": (D, D)})
    assert (set(INSIDE) <= labels(wire(shapes, num_heads=H))) == (name in HARMLESS)
    assert labels(wire(shapes, num_heads=H)).isdisjoint(INSIDE) == (name in CHANGING)


def test_attentions_that_have_no_place_are_told(wire):
    """MaxViT: its attentions stand in blocks that no name explains."""
    inside = {"attn_block.attn.mix": (D, D), "conv.conv1_1x1": (D, D, 1, 1)}
    shapes = {f"stages.0.blocks.{i}.{n}.weight": s for i in range(2) for n, s in inside.items()}
    stem = {"stem.conv1.weight": (D, 3, 3, 3), "stem.conv2.weight": (D, D, 3, 3)}
    wiring = wire(stem | shapes)
    assert wiring.analysed[1] == "layout: no transformer; 2 of 6 matrices in sequences of layers"
    (note,) = (note for note in wiring.notes if "not understood" in note)
    assert note.startswith("2 matrices of attentions are not understood")
    only = wire({"0.weight": (D, D), "2.weight": (D, D), "4.weight": (D, D)})
    assert only.analysed[1] == "layout: plain layers in sequence"


def test_what_reads_patches_is_the_first_stack_of_a_module(wire):
    """CaiT: blocks of the class token stand behind those of all tokens."""
    last = {n.replace("blocks.", "blocks_token_only."): s for n, s in blocks(PLAIN).items()}
    shapes = {"patch_embed.proj.weight": (D, 3, 2, 2)} | blocks(PLAIN) | last
    found = [label for label in labels(wire(shapes)) if label.startswith("patch embedding")]
    assert len(found) == 3
    assert not any("token_only" in label for label in found)


def test_where_an_attention_is_not_understood_the_mlp_does_not_read_what_comes_before_it(wire):
    """JetMoE: queries and outputs are experts."""
    own = {"self_attn.kv_proj.weight": (2 * D, D), "self_attn.experts.mix.weight": (D, D)}
    shapes = {"embed_tokens.weight": (11, D)} | blocks(own)
    found = labels(wire(shapes, num_heads=H))
    assert found == {f"block {n} MLP in -> block {n} MLP out" for n in (1, 2)}


def test_in_blocks_with_a_bottleneck_nothing_passes_between_parts_that_are_known(wire):
    """MobileBERT: other layers stand between attention, MLP and the next block."""
    shapes = blocks(PLAIN | {"bottleneck.input.dense.weight": (D, D)})
    assert labels(wire(shapes, num_heads=H)) == {
        *(pair.replace("1", str(n)) for pair in INSIDE for n in (1, 2)),
        *(f"block {n} MLP in -> block {n} MLP out" for n in (1, 2)),
    }


def test_cross_attention_of_mask2former_stands_before_its_attention(wire):
    own = {f"self_attn.{name}_proj.weight": (D, D) for name in ("q", "k", "v", "o")}
    own |= {"cross_attn.in_proj_weight": (3 * D, D), "cross_attn.out_proj.weight": (D, D)}
    found = labels(wire(blocks(own), num_heads=H))
    assert "block 1 cross attention out -> block 1 query" in found
    assert "block 1 attention out -> block 1 MLP in" in found
    assert "block 1 MLP out -> block 2 cross query" in found
    assert "block 1 attention out -> block 1 cross query" not in found


def test_a_projection_of_another_module_holds_no_patches(wire):
    """VITS: a one-dimensional convolution of its flows is called conv_proj."""
    shapes = blocks(PLAIN) | {"flow.conv_proj.weight": (D, 4, 1)}
    assert not [label for label in labels(wire(shapes)) if "patch" in label]
    shapes = blocks(PLAIN) | {"conv_proj.weight": (D, 3, 2, 2)}
    assert "patch embedding -> block 1 query" in labels(wire(shapes))
