import pytest

from specflow.wiring import Cut, Matrix, Meeting, Pair, View, Wiring, chain, follow


def matrix(name, shape=(4, 4)):
    return Matrix(name, name, View(name, shape))


def test_chain_feeds_each_layer_into_the_next_convolutions_at_their_kernel():
    wiring = chain([matrix("a", (6, 3, 3, 3)), matrix("b", (8, 6, 3, 3)), matrix("c", (2, 8))])
    assert [pair.label for pair in wiring.pairs] == ["a -> b", "b -> c"]
    assert all(pair.fits for pair in wiring.pairs)
    assert [pair.meetings[0].kernel for pair in wiring.pairs] == [(3, 3), None]


def test_pair_whose_dimensions_differ_does_not_fit():
    assert not follow(matrix("a", (4, 3)), matrix("b", (2, 5))).fits
    assert follow(matrix("a", (4, 3)), matrix("b", (4, 5)), following_side="left").fits


def test_views_are_the_matrices_then_the_parts_that_pairs_compare():
    a, b = matrix("a"), matrix("b")
    half = a.view.cut_rows(1, 2, 2)
    meetings = (Meeting(half, b.view), Meeting(a.view, b.view))
    wiring = Wiring((a, b), (Pair("a -> b", meetings),))
    assert wiring.views == [a.view, b.view, half]


def test_parts_are_named_and_labelled_after_their_matrix():
    part = matrix("qkv", (12, 4)).part("q", Cut(0, 0, 1, 3))
    head = part.part("head", Cut(0, 1, 2, 2))
    assert [(part.name, part.label), (head.name, head.label)] == [
        ("qkv:q", "qkv q"),
        ("qkv:q.head", "qkv q head"),
    ]
    assert (part.view.rows, head.view.rows) == (4, 2)
    assert part.view.holds(head.view)
    assert not head.view.holds(part.view)


@pytest.mark.parametrize(
    ("cut", "match"),
    [(Cut(2, 0, 1, 2), "has no dimension 2"), (Cut(0, 0, 1, 3), "no multiple of 3")],
)
def test_cut_that_does_not_fit_is_refused(cut, match):
    with pytest.raises(ValueError, match=match):
        cut.shape_of((4, 4))


def test_rows_and_columns_of_a_transposed_view_are_those_of_its_matrix():
    view = View("up", (6, 4, 2, 2), transposed=True)
    assert (view.rows, view.columns, view.kernel) == (4, 24, (2, 2))
    assert view.cut_rows(0, 1, 2).rows == 2
