"""Families whose blocks are named or shaped in ways of their own: XLM, XLNet, RWKV."""

import pytest
import torch
from tests.wiring import families
from tests.wiring.families import SIZE, D, F, H, V

from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo


def labels(wiring):
    return [pair.label for pair in wiring.pairs]


def xlm():
    inside = {
        **{f"attentions.#.{name}_lin": (D, D) for name in ("q", "k", "v", "out")},
        "layer_norm1.#": (D,),
        "ffns.#.lin1": (F, D),
        "ffns.#.lin2": (D, F),
        "layer_norm2.#": (D,),
    }
    shapes = {"transformer.embeddings.weight": (V, D), "transformer.layer_norm_emb.weight": (D,)}
    for index in range(2):
        names = {n.replace("#", str(index)): shape for n, shape in inside.items()}
        shapes |= {f"transformer.{name}.weight": shape for name, shape in names.items()}
    return shapes | {"pred_layer.proj.weight": (V, D)}


def test_lists_of_attentions_and_of_mlps_make_blocks(wire):
    """XLM holds all attentions in one list, all MLPs in another, and applies them in turn."""
    wiring = wire(xlm(), num_heads=H)
    assert all(matrix.role for matrix in wiring.matrices)
    inside = [
        *("query -> block # key", "value -> block # attention out"),
        *("attention out -> block # MLP in", "MLP in -> block # MLP out"),
    ]
    parts = ("query", "key", "value")
    assert labels(wiring) == [
        *(f"embedding -> block 1 {part}" for part in parts),
        *(f"block 1 {pair}".replace("#", "1") for pair in inside),
        *(f"block 1 MLP out -> block 2 {part}" for part in parts),
        *(f"block 2 {pair}".replace("#", "2") for pair in inside),
        "block 2 MLP out -> output",
    ]


def test_a_list_of_modules_that_hold_attentions_is_no_list_of_attentions(wire):
    """A U-Net of diffusers: transformers in a list that is called attentions."""
    at = "down_blocks.0.attentions.0.transformer_blocks.0"
    names = ("to_q", "to_k", "to_v", "to_out.0")
    shapes = {f"{at}.attn1.{name}.weight": (D, D) for name in names}
    shapes |= {f"{at}.norm{number}.weight": (D,) for number in (1, 2)}
    found = labels(wire(shapes, num_heads=H))
    assert found == ["block 1 query -> block 1 key", "block 1 value -> block 1 attention out"]


def test_tokens_do_not_feed_a_tower_of_images_whose_file_lacks_the_other_tower(wire):
    """CLIP, of which the blocks of text are missing."""
    at = "visual.transformer.resblocks.0"
    shapes = {f"{at}.attn.in_proj_weight": (3 * D, D), f"{at}.attn.out_proj.weight": (D, D)}
    shapes |= {f"{at}.ln_{number}.weight": (D,) for number in (1, 2)}
    shapes |= {"token_embedding.weight": (V, D), "visual.conv1.weight": (D, 3, 2, 2)}
    first = [label for label in labels(wire(shapes)) if "embedding" in label]
    assert first == [f"patch embedding -> block 1 {part}" for part in ("query", "key", "value")]


def xlnet():
    generator = torch.Generator().manual_seed(0)
    shapes = {"transformer.word_embedding.weight": (V, D), "lm_loss.weight": (V, D)}
    for index in range(2):
        at = f"transformer.layer.{index}"
        shapes |= {f"{at}.rel_attn.{name}": (D, H, SIZE) for name in "qkvor"}
        shapes |= {f"{at}.rel_attn.r_{name}_bias": (H, SIZE) for name in "wrs"}
        shapes |= {f"{at}.rel_attn.layer_norm.weight": (D,), f"{at}.ff.layer_norm.weight": (D,)}
        shapes |= {f"{at}.ff.layer_1.weight": (F, D), f"{at}.ff.layer_2.weight": (D, F)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_xlnet_attention_is_that_of_its_einsums(wire, take):
    """XLNet multiplies by tensors (width, heads, size of a head), from the right."""
    tensors = xlnet()
    parts, wiring = take(tensors), wire(tensors)
    x = torch.randn(5, D, generator=torch.Generator().manual_seed(1))
    own = {name: tensors[f"transformer.layer.0.rel_attn.{name}"] for name in "qkvo"}
    q, k, v = (torch.einsum("ih,hnd->ind", x, own[name]) for name in "qkv")
    for role, expected in (("query", q), ("key", k), ("value", v)):
        torch.testing.assert_close(x @ parts[f"block 1 {role}"].T, expected.flatten(1))
    expected = torch.einsum("ind,hnd->ih", v, own["o"])
    torch.testing.assert_close(v.flatten(1) @ parts["block 1 attention out"].T, expected)
    pairs = {pair.label: pair for pair in wiring.pairs}
    scores = torch.einsum("ind,jnd->nij", q, k)
    for head, meeting in enumerate(pairs["block 1 query -> block 1 key"].meetings):
        query, key = (
            view.of(tensors[view.tensor]) for view in (meeting.previous, meeting.following)
        )
        torch.testing.assert_close((x @ query.T) @ (x @ key.T).T, scores[head])
    assert len(pairs["block 1 query -> block 1 key"].meetings) == H
    assert all(pair.fits for pair in wiring.pairs)
    assert "block 1 MLP out -> block 2 query" in pairs


RWKV = {
    "embeddings": (V, D),
    **{
        f"blocks.{index}.{name}": shape
        for index in range(2)
        for name, shape in {
            "ln1": (D,),
            "ln2": (D,),
            **{f"attention.{name}": (D, D) for name in ("key", "value", "receptance", "output")},
            "feed_forward.key": (F, D),
            "feed_forward.receptance": (D, D),
            "feed_forward.value": (D, F),
        }.items()
    },
    "head": (V, D),
}


LN_X = {f"blocks.{index}.attention.ln_x": (D,) for index in range(2)}  # since RWKV-5


def rwkv(**names):
    return {f"rwkv.{name}.weight": shape for name, shape in (RWKV | names).items()}


def rwkv_4(r, k, v):
    """The time mixing of Peng et al. (2023), eq. 12 to 15, without shifts of tokens and decay."""
    mixed = (k.exp() * v).cumsum(0) / k.exp().cumsum(0)
    return r.sigmoid() * mixed


def rwkv_5(r, k, v):
    """That of Peng et al. (2024), eq. 11 to 14, by heads, likewise, before its norm."""
    r, k, v = (part.unflatten(-1, (H, -1)) for part in (r, k, v))
    states = torch.einsum("thi,thj->thij", k, v).cumsum(0)
    return torch.einsum("thi,thij->thj", r, states).flatten(1)


@pytest.mark.parametrize(("mix", "names"), [(rwkv_4, {}), (rwkv_5, LN_X)], ids=["4", "5"])
def test_what_meets_the_output_of_rwkv_moves_one_of_its_inputs_each(wire, mix, names):
    at = "rwkv.blocks.0.attention."
    out = [pair for pair in wire(rwkv(**names)).pairs if pair.label.endswith("1 attention out")]
    met = {view.tensor for pair in out for view in pair.views}
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, D, generator=generator, dtype=torch.float64)
    weights = {
        f"{at}{name}.weight": torch.randn(D, D, generator=generator, dtype=torch.float64) / D
        for name in ("receptance", "key", "value")
    }
    before = mix(*(x @ weight.T for weight in weights.values()))
    for tensor in weights:
        changed = {name: weight.clone() for name, weight in weights.items()}
        changed[tensor][3] += 1
        after = mix(*(x @ weight.T for weight in changed.values()))
        moved = ((after - before).abs().amax(0) > 1e-9).nonzero().flatten().tolist()
        assert (moved == [3]) == (tensor in met), tensor


def test_rwkv_has_the_pairs_of_its_time_and_channel_mixing(wire):
    wiring = wire(rwkv())
    assert all(matrix.role for matrix in wiring.matrices)
    time = ("key", "value", "attention gate")
    channel = ("MLP in", "MLP receptance")
    inside = [
        *(f"{reader} -> block # attention out" for reader in time),
        *(f"attention out -> block # {reader}" for reader in channel),
        "MLP in -> block # MLP out",
    ]
    assert set(labels(wiring)) == {
        *(f"embedding -> block 1 {reader}" for reader in time),
        *(f"block {n} {pair}".replace("#", str(n)) for n in (1, 2) for pair in inside),
        *(f"block 1 MLP out -> block 2 {reader}" for reader in time),
        "block 2 MLP out -> output",
    }


def test_since_rwkv_5_receptance_meets_keys_by_heads_and_does_not_scale_values(wire):
    found = labels(wire(rwkv(**LN_X)))
    assert "block 1 value -> block 1 attention out" in found
    assert "embedding -> block 1 receptance" in found
    assert not [n for n in found if "receptance -> block 1 att" in n or "1 key -> block 1" in n]


@pytest.mark.parametrize(
    ("tensors", "config", "parallel"),
    [
        ({"attn.Wqkv": (3 * D, D), "attn.Wo": (D, D), "mlp_norm": (D,)}, {}, False),
        ({"attn.Wqkv": (3 * D, D), "attn.Wo": (D, D), "input_layernorm": (D,)}, {}, None),
        ({"attn.q_proj": (D, D), "attn.out_proj": (D, D), "ln_1": (D,)}, {}, True),
        (
            {
                "attention.query_key_value": (3 * D, D),
                "attention.dense": (D, D),
                "input_layernorm": (D,),
                "post_attention_layernorm": (D,),
            },
            {"model_type": "gpt_neox_japanese"},
            False,
        ),
    ],
    ids=["ModernBERT", "a norm is missing, or parallel", "GPT-J", "GPT-NeoX Japanese"],
)
def test_one_block_is_parallel_where_its_names_or_config_tell(tensors, config, parallel):
    mlp = {"mlp.fc_in": (F, D), "mlp.fc_out": (D, F)}
    if "attention.dense" in tensors:
        mlp = {"mlp.dense_h_to_4h": (F, D), "mlp.dense_4h_to_h": (D, F)}
    shapes = {f"h.0.{name}.weight": shape for name, shape in (tensors | mlp).items()}
    shapes |= {"wte.weight": (V, D)}
    infos = {name: TensorInfo(shape, torch.float32) for name, shape in shapes.items()}
    found = labels(wiring_of(infos, LayoutParams(), Structure("config.json", config=config)))
    assert ("block 1 attention out -> block 1 MLP in" in found) == (parallel is False)
    assert ("embedding -> block 1 MLP in" in found) == (parallel is True)


@pytest.mark.parametrize("name", ["GPT-J", "Phi"])
@pytest.mark.parametrize("normed", [(0,), (0, 1)], ids=["first block", "both"])
def test_blocks_with_two_norms_are_sequential_though_named_as_those_of_a_parallel_family(
    wire, name, normed
):
    shapes = families.PARALLEL[name]
    path = {"GPT-J": "transformer.h", "Phi": "model.layers"}[name]
    second = {f"{path}.{index}.norm_b.weight": (D,) for index in normed}
    found = labels(wire(shapes | second, num_heads=H))
    assert "block 1 attention out -> block 1 MLP in" in found
    assert "embedding -> block 1 MLP in" not in found
    assert "embedding -> block 1 MLP in" in labels(wire(shapes, num_heads=H))
