"""One pass tells the hash, the soundness and a sample of every tensor."""

import hashlib

import numpy as np
import pytest
import torch
from tests.measure.walks import Walk

from specflow.audit import scan
from specflow.audit.scan import scan_steps, scan_tensor
from specflow.checkpoints.live import LiveCheckpoints
from specflow.scratch import Scratch

DTYPES = [torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.complex64, torch.int64]
DTYPES += [torch.uint16, torch.bool]


@pytest.fixture
def matrices():
    torch.manual_seed(0)
    first = torch.randn(60, 50)
    return first, first + 0.3 * torch.randn(60, 50)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (40, 5)])
def test_tensor_of_any_dtype_and_shape_is_scanned(dtype, shape):
    tensor = torch.ones(shape).to(dtype)
    found = scan_tensor("a", tensor, 64)
    header = f"{dtype} {shape} ".encode()
    content = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    assert found.digest == hashlib.sha256(header + content).hexdigest()
    assert (found.finite, found.zero) == (True, False)
    assert set(found.sample.tolist()) <= {0.0, 1.0}


def test_hash_tells_shape_and_dtype_apart():
    tensor = torch.zeros(6)
    others = (tensor.view(2, 3), tensor.view(torch.int32), tensor)
    assert len({scan_tensor("a", one, 8).digest for one in others}) == 3


def test_distance_of_samples_is_that_of_matrices_within_the_stated_deviation(matrices):
    first, second = matrices
    true = float((first - second).double().square().mean())
    ratios = []
    for name in map(str, range(200)):
        one, other = (scan_tensor(name, matrix, 64).sample for matrix in (first, second))
        ratios.append(np.square(one - other).mean() / true)
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.sqrt(2 / 64 / 200))
    assert np.std(ratios) == pytest.approx(np.sqrt(2 / 64), rel=0.3)


def test_sample_of_a_small_tensor_is_all_of_it(matrices):
    small = matrices[0][:5, :5]
    assert scan_tensor("a", small, 64).sample.tolist() == small.reshape(-1).tolist()


def test_other_names_have_other_places(matrices):
    one, other = (scan_tensor(name, matrices[0], 64).sample for name in "ab")
    assert not np.allclose(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_single_entry_that_is_not_finite_is_found(matrices, value, dtype):
    matrix = matrices[0].to(dtype)
    matrix[3, 3] = value
    assert not scan_tensor("a", matrix, 8).finite


def test_zero_is_all_entries_0_of_either_sign(matrices):
    zero = torch.zeros(60, 50)
    zero[3, 3] = -0.0
    assert scan_tensor("a", zero, 8).zero
    zero[3, 3] = 1e-40
    assert not scan_tensor("a", zero, 8).zero


def test_scans_are_the_same_with_any_number_of_workers_and_taken_up(tmp_path, matrices):
    steps = Walk([{"a": matrix, "b.bias": torch.zeros(3)} for matrix in matrices])
    found = []
    for workers, folder in ((1, "one"), (3, "three"), (2, "one")):
        scratch = Scratch(tmp_path / folder)
        with scratch.locked():
            found.append(scan_steps(steps, 2, scratch, lambda done: None, workers))
    assert steps.opened == [0, 1, 0, 1]
    for scans in found[1:]:
        for one, other in zip(found[0], scans, strict=True):
            assert one.keys() == other.keys() == {"a", "b.bias"}
            for name in one:
                assert one[name][:3] == other[name][:3]
                assert (one[name].sample == other[name].sample).all()


def test_few_tensors_are_in_memory_at_a_time(tmp_path, monkeypatch):
    """Of what is read ahead, the limit and one tensor more."""
    held, most = set(), [0]
    read, scanning = LiveCheckpoints.read, scan.scan_tensor

    def counted_read(self, name):
        held.add(name)
        most[0] = max(most[0], len(held))
        return read(self, name)

    def counted_scan(name, tensor, length):
        found = scanning(name, tensor, length)
        held.remove(name)
        return found

    monkeypatch.setattr(LiveCheckpoints, "read", counted_read)
    monkeypatch.setattr(scan, "scan_tensor", counted_scan)
    monkeypatch.setattr(scan, "_IN_FLIGHT", 5000)  # two tensors
    monkeypatch.setattr(scan, "_SMALL", 0)
    steps, scratch = Walk([{f"t{n}": torch.ones(500) for n in range(40)}]), Scratch(tmp_path / "a")
    with scratch.locked():
        scan_steps(steps, 40, scratch, lambda done: None, 2)
    assert most[0] in (1, 2, 3)
