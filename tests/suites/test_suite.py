from dataclasses import replace

from tests.suites.made_up_suites import job_of, save_steps, trained

import specflow.suites.suite as module
from specflow.suites.checkpoint import TensorInfo
from specflow.suites.run import open_job
from specflow.suites.suite import expected_tensors


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


def test_batches_hold_every_matrix_once_and_a_parameter_whole(tmp_path, monkeypatch):
    save_steps(tmp_path, [0], trained(1))
    suite = open_job(job_of(tmp_path))
    small, large = sorted(suite.wiring.matrices, key=lambda matrix: matrix.rows * matrix.columns)
    others = [replace(small, parameter=f"p{number}") for number in range(4)]
    monkeypatch.setattr(module, "_EACH_WORKER", 0)
    assert suite.batches([small, large], 1) == [[small, large]]
    assert suite.batches([small, *others, small], 1) == [
        [small, small, others[0]],
        others[1:3],
        others[3:],
    ]
    monkeypatch.setattr(module, "_EACH_WORKER", 10**6)
    assert suite.batches([small, *others], 1) == [[small, *others]]
    assert suite.batches([], 1) == []
