import pytest

from specflow.errors import SpecflowError
from specflow.wiring.declared import pair_of

ATTENTION = {f"h.{i}.mixing.{part}.weight": (4, 4) for i in (0, 1) for part in ("v", "o")}


def test_stars_stand_for_the_same_in_both_names(wire):
    wiring = wire(ATTENTION, pairs=[{"from": "*.mixing.v", "to": "*.mixing.o"}])
    assert [pair.label for pair in wiring.pairs] == [
        "h.0.mixing.v -> h.0.mixing.o",
        "h.1.mixing.v -> h.1.mixing.o",
    ]


def test_names_without_stars_make_one_pair(wire):
    wiring = wire(ATTENTION, pairs=[{"from": "h.0.mixing.o", "to": "h.1.mixing.v"}])
    (meeting,) = wiring.pairs[0].meetings
    assert (meeting.previous.tensor, meeting.previous_side) == ("h.0.mixing.o.weight", "left")
    assert (meeting.following.tensor, meeting.following_side) == ("h.1.mixing.v.weight", "right")


def test_sides_are_those_declared(wire):
    sides = {"from_side": "right", "to_side": "right"}
    wiring = wire({"embed": (9, 4), "q": (5, 4)}, pairs=[{"from": "embed", "to": "q"} | sides])
    (meeting,) = wiring.pairs[0].meetings
    assert (meeting.previous_side, meeting.following_side) == ("right", "right")


@pytest.mark.parametrize(
    ("tensors", "pair", "kernel"),
    [
        ({"a": (4, 3, 2), "b": (6, 4, 3, 2)}, {}, (3, 2)),
        ({"a": (6, 4, 3, 2), "b": (5, 6, 1, 2, 3)}, {}, (1, 2, 3)),
        ({"a": (4, 3), "b": (4, 2, 3)}, {"to_side": "left"}, None),
    ],
    ids=["2d", "3d", "outputs"],
)
def test_inputs_of_a_convolution_are_met_at_its_kernel(wire, tensors, pair, kernel):
    wiring = wire(tensors, pairs=[{"from": "a", "to": "b"} | pair])
    assert wiring.pairs[0].meetings[0].kernel == kernel


def test_transposed_convolutions_meet_on_their_inputs(wire):
    tensors = {"up1": (4, 6, 2, 2), "up2": (6, 3, 2, 2)}
    wiring = wire(tensors, transposed=["up*"], pairs=[{"from": "up1", "to": "up2"}])
    assert wiring.pairs[0].meetings[0].kernel == (2, 2)


def test_same_matrices_that_meet_on_two_sides_are_refused(wire):
    pair = {"from": "a", "to": "b"}
    with pytest.raises(SpecflowError, match="pairs: a -> b meet on two sides"):
        wire({"a": (3, 3), "b": (3, 3)}, pairs=[pair, pair | {"to_side": "left"}])


@pytest.mark.parametrize(
    ("tensors", "pair", "match"),
    [
        (
            {"a": (4, 3), "b": (6, 5, 3, 3)},
            {"from": "a", "to": "b"},
            r"'a' -> 'b': a \(left, 36\) cannot meet b \(right, 45\)",
        ),
        (ATTENTION, {"from": "*.q", "to": "*.o"}, r"'\*.q' -> '\*.o' makes no pair of the 4 "),
        (  # the dot of a pattern is a dot
            {"axb": (2, 2), "c": (2, 2)},
            {"from": "a.b", "to": "c"},
            "makes no pair of the 2 matrices",
        ),
    ],
)
def test_pattern_that_fits_nothing_is_refused(wire, tensors, pair, match):
    with pytest.raises(SpecflowError, match=match):
        wire(tensors, pairs=[pair])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*.v -> *.o", {"from": "*.v", "to": "*.o"}),
        ("a->b", {"from": "a", "to": "b"}),
        ("embed:right -> *.q", {"from": "embed", "to": "*.q", "from_side": "right"}),
        ("dense/kernel:0 -> b:left", {"from": "dense/kernel:0", "to": "b", "to_side": "left"}),
    ],
)
def test_pair_in_one_line_is_that_of_params(text, expected):
    assert pair_of(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a ->", "-> b", "a - b"])
def test_pair_that_is_none_is_refused_with_examples(text):
    with pytest.raises(SpecflowError, match=r"pairs: got .*; expected two patterns, as"):
        pair_of(text)
