import pytest

from specflow.suites import SuiteError, SuiteMeeting

ATTENTION = {f"h.{i}.attn.{part}.weight": (4, 4) for i in (0, 1) for part in ("v", "o")}


def test_stars_stand_for_the_same_in_both_names(wire):
    wiring = wire(ATTENTION, pairs=[{"from": "*.attn.v", "to": "*.attn.o"}])
    assert [pair.label for pair in wiring.pairs] == [
        "h.0.attn.v -> h.0.attn.o",
        "h.1.attn.v -> h.1.attn.o",
    ]


def test_names_without_stars_make_one_pair(wire):
    wiring = wire(ATTENTION, pairs=[{"from": "h.0.attn.o", "to": "h.1.attn.v"}])
    assert wiring.pairs[0].meetings == (
        SuiteMeeting("h.0.attn.o", "left", "h.1.attn.v", "right", None),
    )


def test_dot_of_a_pattern_is_a_dot(wire):
    with pytest.raises(SuiteError, match="makes no pair of the 2 matrices"):
        wire({"axb": (2, 2), "c": (2, 2)}, pairs=[{"from": "a.b", "to": "c"}])


def test_sides_are_those_declared(wire):
    sides = {"from_side": "right", "to_side": "right"}
    wiring = wire({"embed": (9, 4), "q": (5, 4)}, pairs=[{"from": "embed", "to": "q"} | sides])
    assert wiring.pairs[0].meetings[0] == SuiteMeeting("embed", "right", "q", "right", None)


def test_following_convolution_is_met_at_its_kernel(wire):
    tensors = {"a": (4, 3, 2), "b": (6, 4, 3, 2), "c": (5, 6, 1, 2, 3)}
    pairs = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    kernels = [pair.meetings[0].kernel for pair in wire(tensors, pairs=pairs).pairs]
    assert kernels == [(3, 2), (1, 2, 3)]


def test_outputs_of_a_following_convolution_have_no_kernel(wire):
    pairs = [{"from": "a", "to": "b", "to_side": "left"}]
    wiring = wire({"a": (4, 3), "b": (4, 2, 3)}, pairs=pairs)
    assert wiring.pairs[0].meetings[0].kernel is None


def test_transposed_convolutions_meet_on_their_inputs(wire):
    tensors = {"up1": (4, 6, 2, 2), "up2": (6, 3, 2, 2)}
    wiring = wire(tensors, transposed=["up*"], pairs=[{"from": "up1", "to": "up2"}])
    assert wiring.pairs[0].meetings[0].kernel == (2, 2)


def test_dimensions_that_do_not_meet_are_refused(wire):
    with pytest.raises(SuiteError, match=r"'a' -> 'b': a \(left, 36\) cannot meet b \(right, 45\)"):
        wire({"a": (4, 3), "b": (6, 5, 3, 3)}, pairs=[{"from": "a", "to": "b"}])


def test_pattern_that_makes_no_pair_is_refused(wire):
    with pytest.raises(SuiteError, match=r"'\*.q' -> '\*.o' makes no pair of the 4 matrices"):
        wire(ATTENTION, pairs=[{"from": "*.q", "to": "*.o"}])
