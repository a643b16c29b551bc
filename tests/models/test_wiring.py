import pytest

from specflow.models.wiring import Block, Matrix, Pair, View, chain


def shape_of(view: View, parameters: dict) -> tuple[int, ...]:
    """Shape (outputs, inputs, ...) of a view."""
    weight = parameters[view.parameter]
    weight = weight.transpose(0, 1) if view.transposed else weight
    rows = view.rows.slice_of(weight.shape[0]) if view.rows else slice(None)
    columns = view.columns.slice_of(weight.shape[1]) if view.columns else slice(None)
    return weight[rows, columns].shape


def labels_of(pairs: tuple[Pair, ...]) -> list[str]:
    return [pair.label for pair in pairs]


def test_matrices_are_all_parameters_with_two_or_more_dimensions_in_order_of_depth(models):
    for model in models.all():
        expected = [name for name, p in model.named_parameters() if p.ndim >= 2]
        assert [matrix.view.parameter for matrix in model.wiring.matrices] == expected


def test_labels_are_unique(models):
    for model in models.all():
        labels, pairs = model.wiring.labels, model.wiring.pairs
        assert len(set(labels.values())) == len(labels) == len(model.wiring.matrices)
        assert len(set(labels_of(pairs))) == len(pairs)


def test_last_is_the_output_layer(models):
    for model in models.all():
        assert model.wiring.last == model.wiring.matrices[-1].view.parameter
        assert model.wiring.labels[model.wiring.last] == "output"


def test_sides_of_every_pair_have_one_dimension(models):
    for model in models.all():
        parameters = dict(model.named_parameters())
        for meeting in (m for pair in model.wiring.pairs for m in pair.meetings):
            previous, following = (
                shape_of(view, parameters)[side == "right"]
                for view, side in (
                    (meeting.previous, meeting.previous_side),
                    (meeting.following, meeting.following_side),
                )
            )
            assert previous == following, meeting


def test_pairs_of_a_transformer_are_those_of_the_paper(models):
    wiring = models.transformer(num_blocks=2).wiring
    assert labels_of(wiring.pairs) == [
        "embedding -> block 1 attention in",
        "block 1 query -> block 1 key",
        "block 1 value -> block 1 attention out",
        "block 1 attention out -> block 1 MLP in",
        "block 1 MLP in -> block 1 MLP out",
        "block 1 MLP out -> block 2 attention in",
        "block 2 query -> block 2 key",
        "block 2 value -> block 2 attention out",
        "block 2 attention out -> block 2 MLP in",
        "block 2 MLP in -> block 2 MLP out",
        "block 2 MLP out -> output",
    ]


def test_embedding_meets_attention_with_its_right_side(models):
    (meeting,) = models.transformer().wiring.pairs[0].meetings
    assert (meeting.previous_side, meeting.following_side) == ("right", "right")


def test_heads_of_query_and_key_are_the_rows_that_attention_multiplies(models):
    model = models.transformer(num_heads=4)
    pair = model.wiring.pairs[1]
    rows = [
        (meeting.previous.rows.slice_of(96), meeting.following.rows.slice_of(96))
        for meeting in pair.meetings
    ]
    assert rows == [(slice(8 * i, 8 * i + 8), slice(32 + 8 * i, 40 + 8 * i)) for i in range(4)]
    assert {(m.previous_side, m.following_side) for m in pair.meetings} == {("left", "left")}


def test_value_of_attention_out_is_the_last_third(models):
    (meeting,) = models.transformer().wiring.pairs[2].meetings
    assert meeting.previous.rows.slice_of(96) == slice(64, 96)
    assert meeting.following.rows is None


def test_chain_pairs_each_matrix_with_the_next():
    matrices = tuple(Matrix(View(name), name) for name in "abc")
    wiring = chain(matrices)
    assert labels_of(wiring.pairs) == ["a -> b", "b -> c"]
    assert wiring.last == "c"


def test_labels_of_chains_count_from_one(models):
    assert list(models.mlp(8).wiring.labels.values()) == ["linear 1", "output"]
    labels = list(models.vgg(11, width=1).wiring.labels.values())
    assert labels == [f"conv {i}" for i in range(1, 9)] + ["output"]


@pytest.mark.parametrize("index", [-1, 3])
def test_block_rejects_a_part_that_is_not_there(index):
    with pytest.raises(ValueError, match=f"block {index} of 3; expected 0 to 2"):
        Block(index, 3)


def test_block_rejects_a_length_that_it_does_not_divide():
    with pytest.raises(ValueError, match="dimension of 10 cannot be cut in 3"):
        Block(0, 3).slice_of(10)


def test_inner_matrices_are_all_but_the_output_layers():
    matrices = tuple(Matrix(View(name), name) for name in ("first", "middle", "out"))
    assert chain(matrices).inner == ("first", "middle")
