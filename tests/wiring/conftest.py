from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from specflow.wiring import Wiring
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.tensors import TensorInfo


@pytest.fixture
def wire() -> Callable[..., Wiring]:
    """The wiring of tensors, or of shapes of float32 tensors."""

    def make(tensors: Mapping[str, Any], **changes: Any) -> Wiring:
        infos = {
            name: TensorInfo(tuple(value.shape), value.dtype)
            if isinstance(value, Tensor)
            else TensorInfo(tuple(value), torch.float32)
            for name, value in tensors.items()
        }
        return wiring_of(infos, LayoutParams.model_validate(changes))

    return make


@pytest.fixture
def take(wire: Callable[..., Wiring]) -> Callable[..., dict[str, Tensor]]:
    """The matrices of tensors, by label."""

    def make(tensors: Mapping[str, Tensor], **changes: Any) -> dict[str, Tensor]:
        matrices = wire(tensors, **changes).matrices
        return {m.label: m.view.of(tensors[m.view.tensor]) for m in matrices}

    return make
