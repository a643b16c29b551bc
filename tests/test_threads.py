import pytest
import torch

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
