import pytest
import torch

from specflow.checkpoints import stream
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.stream import batches, contents_of, expected_tensors, read_views
from specflow.wiring import View
from specflow.wiring.tensors import TensorInfo


def held(**shapes):
    return {name: TensorInfo(shape, torch.float32) for name, shape in shapes.items()}


def shapes(steps):
    return {name: info.shape for name, info in expected_tensors(steps).items()}


def test_expected_is_what_most_steps_hold_in_the_shape_that_most_have():
    usual = held(a=(2, 3), b=(4,))
    steps = [held(a=(2, 3)), held(a=(9, 9), b=(4,), more=(1,)), usual, usual]
    assert shapes(steps) == {"a": (2, 3), "b": (4,)}


def test_of_two_halves_the_later_one_is_expected():
    assert shapes([held(a=(1, 1), b=(1,)), held(a=(2, 2), c=(2,))]) == {"a": (2, 2), "c": (2,)}


def test_contents_are_what_the_steps_say():
    contents = contents_of(LiveCheckpoints({"w": torch.ones(2, 3), "x": None}))
    assert contents.infos == (held(w=(2, 3)),)
    assert contents.expected == held(w=(2, 3))
    assert contents.unreadable == {"x": "of type NoneType: no tensor"}


@pytest.mark.parametrize(
    ("shapes", "workers", "places"),
    [
        ([(2, 3)], 1, [1]),
        ([(8, 8), (2, 2), (2, 2), (8, 8)], 1, [1, 2, 1]),
        ([(4, 4)] * 4, 2, [2, 2]),
        ([(4, 4)] * 4, 1, [1, 1, 1, 1]),
        ([(9, 9), *[(4, 4)] * 6], 2, [1, 5, 1]),
        ([], 2, []),
    ],
)
def test_batches_are_no_larger_than_the_largest_or_a_typical_one_for_each_worker(
    monkeypatch, shapes, workers, places
):
    monkeypatch.setattr(stream, "_EACH_WORKER", 0)
    infos = held(**{f"p{number}": shape for number, shape in enumerate(shapes)})
    views = [View(name, info.shape) for name, info in infos.items()]
    found = batches(views, infos, workers)
    assert [len(batch) for batch in found] == places
    assert [view for batch in found for view in batch] == views


def test_batches_are_of_few_tensors_and_of_all_views_of_each(monkeypatch):
    monkeypatch.setattr(stream, "MOST", 2)
    whole = [View(name, (4, 4)) for name in "abcde"]
    halves = [view.cut_rows(part, part + 1, 2) for view in whole for part in range(2)]
    found = batches(halves, held(**dict.fromkeys("abcde", (4, 4))), 1)
    assert found == [halves[:4], halves[4:8], halves[8:]]


def test_small_matrices_are_one_batch_and_those_of_a_tensor_are_together():
    a, b = View("a", (4, 4)), View("b", (4, 4))
    half = a.cut_rows(0, 1, 2)
    assert batches([a, b, half], held(a=(4, 4), b=(4, 4)), 1) == [[a, half, b]]


def test_tensor_is_read_once_for_all_its_views_and_left_out_where_it_does_not_fit(monkeypatch):
    state = {
        "a": torch.arange(16.0).view(4, 4),
        "reshaped": torch.ones(3, 4),
        "whole": torch.ones(4, 4, dtype=torch.int64),
    }
    live, read = LiveCheckpoints(state), []
    reading = live.read
    monkeypatch.setattr(live, "read", lambda name: read.append(name) or reading(name))
    a = View("a", (4, 4))
    half = a.cut_rows(1, 2, 2)
    others = [View(name, (4, 4)) for name in ("reshaped", "whole", "absent")]
    found = read_views(live, [a, half, *others])
    assert list(found) == [a, half]
    assert torch.equal(found[half], state["a"][2:])
    assert read == ["a"]
