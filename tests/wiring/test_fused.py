"""Parts of fused weights are those that the libraries compute with, by the definition of each."""

import pytest
import torch
from tests.wiring.families import D, F, H

from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo

SIZE, GROUPS = D // H, 2


def parts_of(tensors, config=None, num_heads=None):
    """Matrices by label, and pairs by label."""
    infos = {name: TensorInfo(tuple(value.shape), value.dtype) for name, value in tensors.items()}
    structure = Structure("config.json", config=config or {})
    wiring = wiring_of(infos, LayoutParams(num_heads=num_heads), structure)
    matrices = {m.label: m.view.of(tensors[m.view.tensor]) for m in wiring.matrices}
    return matrices, {pair.label: pair for pair in wiring.pairs}, wiring


def block(names, path="h"):
    generator = torch.Generator().manual_seed(0)
    shapes = {f"{path}.0.{name}.weight": shape for name, shape in names.items()}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def falcon(rows, norms=("input_layernorm",)):
    names = {"self_attention.query_key_value": (rows, D), "self_attention.dense": (D, D)}
    mlp = {"mlp.dense_h_to_4h": (F, D), "mlp.dense_4h_to_h": (D, F)}
    return block(names | mlp | {norm: (D,) for norm in norms})


@pytest.fixture
def x():
    return torch.randn(5, D, generator=torch.Generator().manual_seed(1))


def heads_of(parts, x, role, count):
    """What a matrix makes of x, shape (heads, tokens, size)."""
    return (x @ parts[f"block 1 {role}"].T).unflatten(-1, (count, -1)).transpose(0, 1)


def test_bloom_keeps_query_key_and_value_of_a_head_together(x):
    tensors = falcon(3 * D, ("input_layernorm", "post_attention_layernorm"))
    parts, _, _ = parts_of(tensors, {"n_head": H})
    whole = (x @ tensors["h.0.self_attention.query_key_value.weight"].T).view(5, H, 3, SIZE)
    for number, role in enumerate(("query", "key", "value")):
        torch.testing.assert_close(heads_of(parts, x, role, H), whole[:, :, number].transpose(0, 1))


def test_falcon_keeps_the_queries_that_share_a_key_together(x):
    tensors = falcon(D + 2 * GROUPS * SIZE, ("ln_attn", "ln_mlp"))
    parts, pairs, _ = parts_of(tensors, {"num_attention_heads": H})
    whole = x @ tensors["h.0.self_attention.query_key_value.weight"].T
    whole = whole.view(5, GROUPS, H // GROUPS + 2, SIZE).transpose(0, 1)
    query = whole[:, :, :-2].transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(heads_of(parts, x, "query", H), query)
    torch.testing.assert_close(heads_of(parts, x, "key", GROUPS), whole[:, :, -2])
    torch.testing.assert_close(heads_of(parts, x, "value", GROUPS), whole[:, :, -1])
    assert "block 1 attention out -> block 1 MLP in" not in pairs


def test_falcon_with_one_key_for_all_needs_no_number_of_heads(x):
    tensors = falcon(D + 2 * SIZE)
    parts, pairs, _ = parts_of(tensors)
    whole = x @ tensors["h.0.self_attention.query_key_value.weight"].T
    torch.testing.assert_close(x @ parts["block 1 query"].T, whole[:, :D])
    torch.testing.assert_close(x @ parts["block 1 key"].T, whole[:, D : D + SIZE])
    assert len(pairs["block 1 query -> block 1 key"].meetings) == H


def test_what_lies_by_groups_of_unknown_number_stays_whole():
    parts, pairs, wiring = parts_of(falcon(D + 2 * GROUPS * SIZE, ("ln_attn", "ln_mlp")))
    assert parts["block 1 attention in"].shape == (D + 2 * GROUPS * SIZE, D)
    assert "block 1 query -> block 1 key" not in pairs
    assert any("whose number is not known (num_heads)" in note for note in wiring.notes)


def glm(x, norms=("input_layernorm", "post_attention_layernorm")):
    """A block with a gate in its MLP, and query, key and value as they lie in turn."""
    rows = D + 2 * GROUPS * SIZE
    names = {"self_attention.query_key_value": (rows, D), "self_attention.dense": (D, D)}
    mlp = {"mlp.dense_h_to_4h": (2 * F, D), "mlp.dense_4h_to_h": (D, F)}
    tensors = block(names | mlp | {norm: (D,) for norm in norms})
    whole = x @ tensors["h.0.self_attention.query_key_value.weight"].T
    return tensors, whole.split([D, GROUPS * SIZE, GROUPS * SIZE], dim=-1)


def bailing(x):
    rows = D + 2 * GROUPS * SIZE
    names = {"attention.query_key_value": (rows, D), "attention.dense": (D, D)}
    mlp = {"mlp.gate_proj": (F, D), "mlp.up_proj": (F, D), "mlp.down_proj": (D, F)}
    norms = {"input_layernorm": (D,), "post_attention_layernorm": (D,)}
    tensors = block(names | mlp | norms)
    whole = x @ tensors["h.0.attention.query_key_value.weight"].T
    return tensors, whole.split([D, GROUPS * SIZE, GROUPS * SIZE], dim=-1)


@pytest.mark.parametrize(("made", "model"), [(glm, "chatglm"), (bailing, "bailing_moe")])
def test_models_with_a_gate_have_query_key_and_value_in_turn_under_the_name_of_another(
    x, made, model
):
    tensors, expected = made(x)
    parts, pairs, _ = parts_of(tensors, {"model_type": model, "num_attention_heads": H})
    for role, value in zip(("query", "key", "value"), expected, strict=True):
        torch.testing.assert_close(x @ parts[f"block 1 {role}"].T, value)
    assert len(pairs["block 1 query -> block 1 key"].meetings) == H
    assert any(label.startswith("block 1 attention out -> block 1 MLP") for label in pairs)


@pytest.mark.parametrize("made", [glm, bailing])
@pytest.mark.parametrize("heads", [H, None])
def test_where_no_config_tells_what_the_name_means_it_stays_whole(x, made, heads):
    """Its order is not known, nor does its number of rows tell heads: they are those asked for."""
    parts, pairs, wiring = parts_of(made(x)[0], num_heads=heads)
    assert parts["block 1 attention in"].shape == (D + 2 * GROUPS * SIZE, D)
    assert "block 1 query -> block 1 key" not in pairs
    assert any("order that is not known: declare them in fused" in n for n in wiring.notes)


@pytest.mark.parametrize("model", ["internlm2", None, "another"])
def test_wqkv_lies_by_heads_in_internlm2_alone(x, model):
    names = {"attention.wqkv": (D + 2 * GROUPS * SIZE, D), "attention.wo": (D, D)}
    mlp = {"feed_forward.w1": (F, D), "feed_forward.w3": (F, D), "feed_forward.w2": (D, F)}
    tensors = block(names | mlp)
    config = {"model_type": model, "num_attention_heads": H}
    parts, _, wiring = parts_of(tensors, config)
    if model != "internlm2":
        assert "block 1 attention in" in parts
        assert any("order that is not known" in note for note in wiring.notes)
        return
    whole = x @ tensors["h.0.attention.wqkv.weight"].T
    whole = whole.view(5, GROUPS, H // GROUPS + 2, SIZE).transpose(0, 1)
    torch.testing.assert_close(heads_of(parts, x, "key", GROUPS), whole[:, :, -2])


def test_phi3_has_queries_then_grouped_keys_and_a_gate_before_what_it_gates(x):
    names = {
        "self_attn.qkv_proj": (D + 2 * GROUPS * SIZE, D),
        "self_attn.o_proj": (D, D),
        "mlp.gate_up_proj": (2 * F, D),
        "mlp.down_proj": (D, F),
    }
    tensors = block(names, "model.layers")
    parts, _, _ = parts_of(tensors)
    whole = x @ tensors["model.layers.0.self_attn.qkv_proj.weight"].T
    query, key, value = whole.split([D, GROUPS * SIZE, GROUPS * SIZE], dim=-1)
    for role, expected in {"query": query, "key": key, "value": value}.items():
        torch.testing.assert_close(x @ parts[f"block 1 {role}"].T, expected)
    gate, up = (x @ tensors["model.layers.0.mlp.gate_up_proj.weight"].T).chunk(2, dim=-1)
    torch.testing.assert_close(x @ parts["block 1 MLP gate"].T, gate)
    torch.testing.assert_close(x @ parts["block 1 MLP in"].T, up)


@pytest.mark.parametrize("inner", [D // 2, F])
def test_gpt_oss_has_experts_with_inputs_first_whose_gate_and_up_take_turns(x, inner):
    """With D // 2 hidden units both dimensions of the stack are D: the other stack tells."""
    generator = torch.Generator().manual_seed(0)
    path = "model.layers.0.mlp"
    tensors = block({"self_attn.q_proj": (D, D), "input_layernorm": (D,)}, "model.layers") | {
        f"{path}.experts.gate_up_proj": torch.randn(3, D, 2 * inner, generator=generator),
        f"{path}.experts.gate_up_proj_bias": torch.randn(3, 2 * inner, generator=generator),
        f"{path}.experts.down_proj": torch.randn(3, inner, D, generator=generator),
    }
    parts, pairs, _ = parts_of(tensors)
    for expert in range(3):
        both = x @ tensors[f"{path}.experts.gate_up_proj"][expert]
        owner = f"block 1 expert {expert + 1}"
        torch.testing.assert_close(x @ parts[f"{owner} MLP gate"].T, both[:, ::2])
        torch.testing.assert_close(x @ parts[f"{owner} MLP in"].T, both[:, 1::2])
        hidden = both[:, ::2] * both[:, 1::2]
        expected = hidden @ tensors[f"{path}.experts.down_proj"][expert]
        torch.testing.assert_close(hidden @ parts[f"{owner} MLP out"].T, expected)
        assert f"{owner} MLP gate -> {owner} MLP out" in pairs
        assert f"{owner} MLP in -> block 1 expert {(expert + 1) % 3 + 1} MLP out" not in pairs


def test_stacked_experts_of_mixtral_are_those_that_its_files_keep_one_by_one():
    generator = torch.Generator().manual_seed(0)
    one_by_one = block({"input_layernorm": (D,)}, "model.layers")
    for expert in range(3):
        for name, shape in {"w1": (F, D), "w3": (F, D), "w2": (D, F)}.items():
            full = f"model.layers.0.block_sparse_moe.experts.{expert}.{name}.weight"
            one_by_one[full] = torch.randn(shape, generator=generator)
    at = "model.layers.0.block_sparse_moe.experts.{}.{}.weight".format
    both = [torch.cat([one_by_one[at(e, "w1")], one_by_one[at(e, "w3")]]) for e in range(3)]
    stacked = {
        "model.layers.0.input_layernorm.weight": torch.ones(D),
        "model.layers.0.mlp.experts.gate_up_proj": torch.stack(both),
        "model.layers.0.mlp.experts.down_proj": torch.stack(
            [one_by_one[at(e, "w2")] for e in range(3)]
        ),
    }
    (parts, pairs, _), (others, other_pairs, _) = parts_of(one_by_one), parts_of(stacked)
    assert parts.keys() == others.keys()
    assert pairs.keys() == other_pairs.keys()
    for label, matrix in parts.items():
        assert torch.equal(matrix, others[label])


def test_latent_attention_meets_head_by_head(x):
    """DeepSeek-V2: sizes of a head's parts follow from shapes alone."""
    plain, rotated, value, latent, low = 3, 2, 4, 6, 5
    names = {
        "input_layernorm": (D,),
        "post_attention_layernorm": (D,),
        "self_attn.q_a_proj": (low, D),
        "self_attn.q_b_proj": (H * (plain + rotated), low),
        "self_attn.kv_a_proj_with_mqa": (latent + rotated, D),
        "self_attn.kv_b_proj": (H * (plain + value), latent),
        "self_attn.o_proj": (D, H * value),
        "mlp.up_proj": (F, D),
        "mlp.down_proj": (D, F),
    }
    tensors = block(names, "model.layers")
    _, pairs, _ = parts_of(tensors)
    at = "model.layers.0.self_attn.{}.weight".format
    queries = tensors[at("q_b_proj")].unflatten(0, (H, plain + rotated))[:, :plain]
    keys, values = tensors[at("kv_b_proj")].unflatten(0, (H, -1)).split([plain, value], dim=1)
    owner = "block 1 key value up"
    for head, meeting in enumerate(pairs[f"block 1 query up -> {owner}"].meetings):
        assert torch.equal(meeting.previous.of(tensors[meeting.previous.tensor]), queries[head])
        assert torch.equal(meeting.following.of(tensors[meeting.following.tensor]), keys[head])
        assert meeting.following_side == "left"
    for head, meeting in enumerate(pairs[f"{owner} -> block 1 attention out"].meetings):
        assert torch.equal(meeting.previous.of(tensors[meeting.previous.tensor]), values[head])
        columns = tensors[at("o_proj")][:, head * value : (head + 1) * value]
        assert torch.equal(meeting.following.of(tensors[meeting.following.tensor]), columns)
    (meeting,) = pairs[f"block 1 key value down -> {owner}"].meetings
    assert meeting.previous.rows == latent


def test_mamba_meets_by_the_halves_of_its_first_projection():
    names = {
        "norm": (D,),
        "mixer.in_proj": (2 * F, D),
        "mixer.conv1d": (F, 1, 4),
        "mixer.x_proj": (3 + 2 * 5, F),
        "mixer.dt_proj": (F, 3),
        "mixer.out_proj": (D, F),
    }
    tensors = block(names, "backbone.layers") | {"backbone.embeddings.weight": torch.ones(11, D)}
    _, pairs, wiring = parts_of(tensors)
    first = tensors["backbone.layers.0.mixer.in_proj.weight"]
    (into,) = pairs["block 1 mixer in -> block 1 mixer convolution"].meetings
    assert torch.equal(into.previous.of(first), first[:F])
    assert into.following.groups == F
    assert into.kernel == (4,)
    (gate,) = pairs["block 1 mixer in -> block 1 mixer out"].meetings
    assert torch.equal(gate.previous.of(first), first[F:])
    (steps,) = pairs["block 1 mixer parameters -> block 1 mixer time step"].meetings
    assert steps.previous.rows == 3
    assert all(pair.fits for pair in wiring.pairs)


def test_codegen_whose_order_is_its_own_stays_whole():
    names = {"ln_1": (D,), "attn.qkv_proj": (3 * D, D), "attn.out_proj": (D, D)}
    mlp = {"mlp.fc_in": (F, D), "mlp.fc_out": (D, F)}
    parts, _, wiring = parts_of(block(names | mlp), num_heads=H)
    assert parts["block 1 attention in"].shape == (3 * D, D)
    assert any("order that is not known" in note for note in wiring.notes)


def test_qkv_of_timm_that_may_lie_by_heads_or_hold_no_queries_stays_whole():
    plain = block({"attn.qkv": (3 * D, D), "attn.proj": (D, D)}, "blocks")
    matrices, *_ = parts_of(plain, num_heads=H)
    assert "block 1 query" in matrices
    table = {"blocks.0.attn.rel_pos.relative_position_bias_table": torch.ones(H, 9)}
    without = block({"attn.qkv": (2 * D, D), "attn.proj": (D, D)}, "blocks")
    for tensors in (plain | table, without):  # MaxViT and CoAtNet; GCViT
        matrices, _, wiring = parts_of(tensors, num_heads=H)
        assert "block 1 attention in" in matrices
        assert "block 1 query" not in matrices
        assert any("1 fused matrices stay whole" in note for note in wiring.notes)
    matrices, *_ = parts_of(without, {"num_attention_heads": H, "num_key_value_heads": H // 2})
    assert matrices["block 1 key"].shape == (D // 2, D)
