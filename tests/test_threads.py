import numpy  # noqa: F401 its BLAS is the one that is limited
import pytest
import torch
from threadpoolctl import threadpool_info

from specflow.threads import one_thread


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
        limits = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(limits) == {1}
