"""Tensors of two networks: what became of each, bit by bit, whatever their kinds."""

import math

import pytest
import torch
from tests.audit.made_up_steps import walk

from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.stream import contents_of
from specflow.measure import comparison
from specflow.measure.comparison import compare_tensors
from specflow.spectra import difference
from specflow.wiring.recognize import LayoutParams, wiring_of


def compared(a, b, workers: int = 1, report=lambda done: None, **layout):
    first, second = LiveCheckpoints(a), LiveCheckpoints(b)
    wiring = wiring_of(contents_of(first).expected, LayoutParams.model_validate(layout))
    with first.open(0) as one, second.open(0) as other:
        return compare_tensors(one, other, wiring.matrices, report, workers)


MATRIX, OTHER = torch.eye(4, 3), torch.ones(4, 3)
KINDS = {
    "identical": ({"x": MATRIX}, {"x": MATRIX.clone()}),
    "equal values": ({"x": MATRIX}, {"x": MATRIX.double()}),
    "changed": ({"x": MATRIX}, {"x": OTHER}),
    "reshaped": ({"x": MATRIX}, {"x": torch.eye(4)}),
    "only in A": ({"x": MATRIX}, {}),
    "only in B": ({}, {"x": MATRIX}),
    "unreadable": ({"x": MATRIX}, {"x": MATRIX.to_sparse()}),
}


@pytest.mark.parametrize("status", KINDS)
def test_every_tensor_has_a_status(status):
    both = {"z": torch.eye(2)}
    a, b = ({**weights, **both} for weights in KINDS[status])
    tensors = compared(a, b).tensors
    assert {name: one.status for name, one in tensors.items()} == {"x": status, "z": "identical"}
    assert bool(tensors["x"].evidence) == (status == "unreadable")


@pytest.mark.parametrize(
    ("a", "b", "status"),
    [
        (torch.tensor([math.nan]), torch.tensor([math.nan]), "identical"),
        (torch.tensor([0.0]), torch.tensor([-0.0]), "changed"),
        (torch.tensor(3), torch.tensor(3), "identical"),
        (torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32), "equal values"),
        (torch.tensor([1, 2]), torch.tensor([1.0, 2.5]), "changed"),
        (torch.tensor([True]), torch.tensor([False]), "changed"),
        (torch.tensor([1j]), torch.tensor([1.0]), "changed"),
        (torch.zeros(0), torch.zeros(0), "identical"),
    ],
)
def test_what_is_no_matrix_is_compared_bit_by_bit(a, b, status):
    both = {"z": torch.eye(2)}
    assert compared({"x": a, **both}, {"x": b, **both}).tensors["x"].status == status


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_and_workers_change_no_bit(monkeypatch, workers):
    a, b = walk(2)
    whole = compared(a, b).matrices
    monkeypatch.setattr(comparison, "batches", lambda views, *_: [[view] for view in views])
    for matrix, found in compared(a, b, workers).matrices.items():
        naive = difference(a[matrix.view.tensor], b[matrix.view.tensor])
        assert found[:7] == whole[matrix][:7] == pytest.approx(naive[:7], rel=1e-12)
        assert torch.equal(found.S, whole[matrix].S)


def test_parts_of_a_fused_tensor_are_compared_each_by_itself():
    qkv = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    other = qkv.clone()
    other[4:8] *= 2  # the keys
    fused = [{"match": "*", "split": ["q", "k", "v"]}]
    found = compared({"qkv.weight": qkv}, {"qkv.weight": other}, fused=fused)
    changes = {m.name.rpartition(":")[2]: own.relative_change for m, own in found.matrices.items()}
    assert changes == {"q": 0, "k": pytest.approx(1), "v": 0}
    assert found.tensors["qkv.weight"].status == "changed"


def test_matrix_that_is_not_finite_has_no_difference_and_a_status():
    a, b = walk(2)
    b["layers.0.weight"][0, 0] = math.inf
    found = compared(a, b)
    values = {matrix.name: own for matrix, own in found.matrices.items()}
    assert values["layers.0"] is None
    assert values["layers.1"] is not None
    assert found.tensors["layers.0.weight"].status == "changed"


def test_every_tensor_of_both_is_reported_once():
    done: list[int] = []
    compared(*walk(2), report=done.append)
    assert sum(done) == 3
