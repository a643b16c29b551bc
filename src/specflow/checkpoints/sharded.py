"""Tensors of which each of several processes has a part, as FSDP2 and others divide them."""

import sys
from typing import Any

from torch import Tensor


def is_sharded(tensor: Any) -> bool:
    """Return whether it is a `DTensor`; without any their module is absent."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def whole(tensor: Any) -> Tensor:
    """Return a tensor with what others have of it; all processes take part then."""
    gathered: Tensor = tensor.full_tensor() if is_sharded(tensor) else tensor
    return gathered
