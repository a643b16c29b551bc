import pytest
import torch

from specflow.errors import SpecflowError
from specflow.wiring import Matrix, View
from specflow.wiring.transformer import transformer_wiring

SHAPES = {
    "attention in": ("self_attn.in_proj_weight", (24, 8)),
    "attention out": ("self_attn.out_proj.weight", (8, 8)),
    "MLP in": ("linear1.weight", (12, 8)),
    "MLP out": ("linear2.weight", (8, 12)),
}


def matrix(name, label, shape, role):
    return Matrix(name, label, View(name, shape), role)


def wiring(num_heads=2):
    blocks = [
        [
            matrix(f"blocks.{index}.{name}", f"block {index + 1} {role}", shape, role)
            for role, (name, shape) in SHAPES.items()
        ]
        for index in range(2)
    ]
    embedding = matrix("embedding.weight", "embedding", (9, 8), "embedding")
    return transformer_wiring(
        embedding, blocks, matrix("output.weight", "output", (9, 8), "output"), num_heads
    )


def test_attention_is_fed_whole_and_its_parts_meet_inside_the_block():
    inside = [
        "block {0} query -> block {0} key",
        "block {0} value -> block {0} attention out",
        "block {0} attention out -> block {0} MLP in",
        "block {0} MLP in -> block {0} MLP out",
    ]
    assert [pair.label for pair in wiring().pairs] == [
        "embedding -> block 1 attention in",
        *(pair.format(1) for pair in inside),
        "block 1 MLP out -> block 2 attention in",
        *(pair.format(2) for pair in inside),
        "block 2 MLP out -> output",
    ]
    assert all(pair.fits for pair in wiring().pairs)


def test_matrices_are_tracked_whole_in_order_of_depth():
    labels = [f"block {number} {role}" for number in (1, 2) for role in SHAPES]
    assert [m.label for m in wiring().matrices] == ["embedding", *labels, "output"]
    assert not any(m.view.cuts for m in wiring().matrices)
    assert [m.label for m in wiring().inner] == ["embedding", *labels]


def test_heads_of_queries_meet_those_of_keys_and_values_the_last_third():
    pairs = {pair.label: pair.meetings for pair in wiring().pairs}
    rows = torch.arange(24.0)[:, None].expand(24, 8)

    def rows_of(view):
        assert view.tensor == "blocks.0.self_attn.in_proj_weight"
        return view.of(rows)[:, 0].tolist()

    heads = pairs["block 1 query -> block 1 key"]
    assert [rows_of(m.previous) for m in heads] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [rows_of(m.following) for m in heads] == [[8, 9, 10, 11], [12, 13, 14, 15]]
    assert {(m.previous_side, m.following_side) for m in heads} == {("left", "left")}
    (value,) = pairs["block 1 value -> block 1 attention out"]
    assert rows_of(value.previous) == list(range(16, 24))
    (into,) = pairs["embedding -> block 1 attention in"]
    assert (into.previous_side, into.following_side) == ("right", "right")


def test_heads_that_do_not_divide_the_queries_are_refused():
    with pytest.raises(SpecflowError, match="num_heads: got 3; expected a divisor of the 8 rows"):
        wiring(num_heads=3)
