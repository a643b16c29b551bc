import math

import pytest
import torch
from torch import Tensor, nn

from specflow.datasets.shapes import TokenShape
from specflow.models import transformer as module
from specflow.models.transformer import TransformerBlock, sinusoidal_positions

NORMS = ("none", "layer", "layer_final")
ADDITION = TokenShape(num_tokens=114, length=3)
PAPER = {"num_blocks": 1, "d_model": 128, "num_heads": 4, "d_mlp": 512, "norm": "none"}
# 6 tokens and width 32: below 12 samples inputs do not repeat enough for a table; above, scores
# and values are tables too where heads times positions are few beside the width.
WAYS = {"dense": (9, 2), "gathered": (216, 4), "tables": (216, 2)}


class Reference(nn.Module):
    """The same network from torch's own encoder, at every position."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        block = model.blocks[0]
        self.embedding, self.output = model.embedding, model.output
        self.positions = model.positions
        layer = nn.TransformerEncoderLayer(
            block.linear1.in_features,
            block.self_attn.num_heads,
            block.linear1.out_features,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        if isinstance(block.norm1, nn.Identity):
            layer.norm1, layer.norm2 = nn.Identity(), nn.Identity()
        is_final = isinstance(model.norm, nn.LayerNorm)
        norm = nn.LayerNorm(block.linear1.in_features) if is_final else nn.Identity()
        self.encoder = nn.TransformerEncoder(
            layer, len(model.blocks), norm, enable_nested_tensor=False
        ).double()
        self.encoder.layers.load_state_dict(model.blocks.state_dict())
        self.encoder.norm.load_state_dict(model.norm.state_dict())

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim) + self.positions
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=x.dtype)
        return self.output(self.encoder(x, mask=mask, is_causal=True))


def gradients(model: nn.Module, logits: Tensor) -> dict[str, Tensor]:
    """Gradients of a loss with another weight for every logit."""
    weights = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).reshape(logits.shape)
    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = torch.autograd.grad((logits.sin() * weights).sum(), parameters)
    return dict(zip(names, grads, strict=True))


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-10, atol=1e-10, msg=name)
        assert value.abs().max() > 1e-6, f"{name} has no gradient: nothing was compared"


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("num_blocks", [1, 3])
@pytest.mark.parametrize("batch", [9, 216])
def test_outputs_and_gradients_are_those_of_torch_encoder(
    models, sequences, norm, num_blocks, batch
):
    model = models.transformer(num_blocks=num_blocks, norm=norm)
    reference = Reference(model)
    ours, theirs = model(sequences[:batch]), reference(sequences[:batch])
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    expected = {
        name.replace("encoder.layers", "blocks").replace("encoder.norm", "norm"): value
        for name, value in gradients(reference, theirs).items()
    }
    assert_same(gradients(model, ours), expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("num_blocks", [1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_last_position_only_is_the_last_position_of_all(
    models, sequences, monkeypatch, norm, num_blocks, way
):
    batch, num_heads = WAYS[way]
    calls = []
    attention = module.last_attention_from_tables
    monkeypatch.setattr(
        module, "last_attention_from_tables", lambda *args: calls.append(1) or attention(*args)
    )
    tokens = sequences[:batch]
    full = models.transformer(num_blocks, num_heads, norm)
    last = models.transformer(num_blocks, num_heads, norm, last=True)
    ours, theirs = last(tokens), full(tokens)[:, -1]
    assert bool(calls) == (way == "tables" and num_blocks == 1)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    assert_same(gradients(last, ours), gradients(full, theirs))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("num_heads", [2, 4])
def test_a_sample_does_not_depend_on_the_rest_of_the_batch(models, sequences, last, num_heads):
    model = models.transformer(2 - last, num_heads, last=last)
    together = model(sequences)
    apart = torch.cat([model(part) for part in sequences.split(9)])
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)


def test_positions_see_only_what_comes_before_them(models, sequences):
    model = models.transformer(num_blocks=2)
    other = sequences.clone()
    other[:, 2] = (other[:, 2] + 1) % 6
    ours, theirs = model(sequences), model(other)
    torch.testing.assert_close(ours[:, :2], theirs[:, :2], rtol=1e-12, atol=1e-12)
    assert ((ours - theirs)[:, 2].norm(dim=-1) > 1e-3).all()


@pytest.mark.parametrize("way", WAYS)
def test_results_are_the_same_bits_under_deterministic_algorithms(models, sequences, way):
    batch, num_heads = WAYS[way]
    was_on = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        model = models.transformer(1, num_heads, last=True).float()
        first, second = (gradients(model, model(sequences[:batch])) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(was_on)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_block_has_the_parameters_and_initialization_of_torch_layer(models):
    params = models.section("transformer", **PAPER | {"norm": "layer"})
    torch.manual_seed(3)
    ours = TransformerBlock(params).state_dict()
    torch.manual_seed(3)
    theirs = nn.TransformerEncoderLayer(128, 4, 512).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_paper_size_has_as_many_parameters_as_written_out(models):
    attention = 3 * 128 * (128 + 1) + 128 * (128 + 1)
    mlp = 512 * (128 + 1) + 128 * (512 + 1)
    expected = 114 * 128 + attention + mlp + 114 * (128 + 1)
    found = models.num_parameters("transformer", shape=ADDITION, **PAPER)
    assert found == expected == 227_058


def test_paper_sizes_with_norms_have_as_many_parameters_as_its_code(models):
    slingshot = TokenShape(num_tokens=98, length=3)
    found = models.num_parameters("transformer", shape=slingshot, **PAPER | {"norm": "layer"})
    assert found == 223_458
    language = TokenShape(num_tokens=50_254, length=2048)
    sizes = {"num_blocks": 12, "d_model": 768, "num_heads": 12, "d_mlp": 768, "norm": "layer"}
    assert models.num_parameters("transformer", shape=language, **sizes) == 119_799_886


def test_embedding_and_output_are_uniform_and_output_bias_zero(models):
    model = models.build("transformer", shape=ADDITION, **PAPER)
    for weight in (model.embedding.weight, model.output.weight):
        assert 0.099 < weight.abs().max() <= 0.1
        assert weight.std().item() == pytest.approx(0.2 / math.sqrt(12), rel=0.02)
    assert not model.output.bias.any()


def test_sinusoidal_positions_match_the_formula_of_the_paper(models):
    expected = torch.tensor(
        [
            [f(t / 10000 ** (i / 8)) for i in range(0, 8, 2) for f in (math.sin, math.cos)]
            for t in range(5)
        ]
    )
    torch.testing.assert_close(sinusoidal_positions(5, 8), expected)
    assert "positions" not in models.transformer().state_dict()  # they are not trained


def test_pairs_are_those_of_the_paper(models):
    wiring = models.transformer(num_blocks=2).wiring
    inside = [
        "block {0} query -> block {0} key",
        "block {0} value -> block {0} attention out",
        "block {0} attention out -> block {0} MLP in",
        "block {0} MLP in -> block {0} MLP out",
    ]
    assert [pair.label for pair in wiring.pairs] == [
        "embedding -> block 1 attention in",
        *(pair.format(1) for pair in inside),
        "block 1 MLP out -> block 2 attention in",
        *(pair.format(2) for pair in inside),
        "block 2 MLP out -> output",
    ]
    roles = ("attention in", "attention out", "MLP in", "MLP out")
    labels = [f"block {number} {role}" for number in (1, 2) for role in roles]
    assert [matrix.label for matrix in wiring.matrices] == ["embedding", *labels, "output"]
    assert not any(matrix.view.cuts for matrix in wiring.matrices)  # tracked as a whole


def test_pairs_compare_what_attention_multiplies(models):
    model = models.transformer(num_heads=4)
    into, heads, values, *_ = model.wiring.pairs
    weight = model.blocks[0].self_attn.in_proj_weight.detach()
    sides = {(m.previous_side, m.following_side) for m in into.meetings}
    assert sides == {("right", "right")}  # rows of an embedding: tokens
    assert {(m.previous_side, m.following_side) for m in heads.meetings} == {("left", "left")}
    for i, meeting in enumerate(heads.meetings):
        assert torch.equal(meeting.previous.of(weight), weight[8 * i : 8 * i + 8])
        assert torch.equal(meeting.following.of(weight), weight[32 + 8 * i : 40 + 8 * i])
    assert len(heads.meetings) == 4
    assert torch.equal(values.meetings[0].previous.of(weight), weight[64:])
    assert not values.meetings[0].following.cuts
