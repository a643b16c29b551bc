import numpy  # noqa: F401 its BLAS is the one that is limited
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from specflow.device import make_deterministic
from specflow.threads import one_thread


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_number_of_threads_is_restored_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError, match="1"), one_thread():
            raise KeyError(torch.get_num_threads())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_blas_has_one_thread():
    with one_thread():
        assert blas_threads() == {1}


def test_member_computes_with_one_thread_below_torch_and_numpy():
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        make_deterministic(torch.device("cpu"))
        assert (torch.get_num_threads(), blas_threads()) == (1, {1})
