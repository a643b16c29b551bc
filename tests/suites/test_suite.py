import pytest
import torch
from tests.suites.made_up_suites import job_of, save_steps, suite_params, trained

import specflow.suites.suite as module
from specflow.suites.checkpoint import TensorInfo
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.run import open_job
from specflow.suites.suite import Suite, expected_tensors
from specflow.suites.wiring import SuiteWiring


def held(**shapes):
    return {name: TensorInfo(shape, None) for name, shape in shapes.items()}


def shapes(steps):
    return {name: info.shape for name, info in expected_tensors(steps).items()}


def test_expected_is_what_most_steps_hold_in_the_shape_that_most_have():
    usual = held(a=(2, 3), b=(4,))
    steps = [held(a=(2, 3)), held(a=(9, 9), b=(4,), more=(1,)), usual, usual]
    assert shapes(steps) == {"a": (2, 3), "b": (4,)}


def test_of_two_halves_the_later_one_is_expected():
    assert shapes([held(a=(1, 1), b=(1,)), held(a=(2, 2), c=(2,))]) == {"a": (2, 2), "c": (2,)}


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
    monkeypatch.setattr(module, "_EACH_WORKER", 0)
    expected = {
        f"p{number}": TensorInfo(shape, torch.float32) for number, shape in enumerate(shapes)
    }
    matrices = [SuiteMatrix(name, name, name, info.shape) for name, info in expected.items()]
    suite = Suite(suite_params(), [], [], expected, SuiteWiring(tuple(matrices), (), {}), {})
    batches = suite.batches(matrices, workers)
    assert [len(batch) for batch in batches] == places
    assert [matrix for batch in batches for matrix in batch] == matrices


def test_small_matrices_are_one_batch_and_those_of_a_parameter_are_together(tmp_path):
    save_steps(tmp_path, [0], trained(1))
    suite = open_job(job_of(tmp_path))
    small, large = suite.wiring.matrices
    assert suite.batches([small, large, small], 1) == [[small, small, large]]
