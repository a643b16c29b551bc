import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from specflow.params.suites import SuiteParams
from specflow.suites import SuiteWiring, TensorInfo, wiring_of

SPECTRA = {"diagonal_length": 100, "score_length": 10, "mass": 0.9}


@pytest.fixture
def params() -> Callable[..., SuiteParams]:
    """Params of a suite, with what a test needs."""

    def make(**changes: Any) -> SuiteParams:
        return SuiteParams.model_validate({"files": ["*"], "spectra": SPECTRA} | changes)

    return make


@pytest.fixture
def wire(params) -> Callable[..., SuiteWiring]:
    """The wiring of tensors, or of shapes of float32 tensors."""

    def make(tensors: Mapping[str, Any], **changes: Any) -> SuiteWiring:
        infos = {
            name: TensorInfo(tuple(value.shape), value.dtype)
            if isinstance(value, torch.Tensor)
            else TensorInfo(tuple(value), torch.float32)
            for name, value in tensors.items()
        }
        return wiring_of(infos, params(**changes))

    return make


@pytest.fixture
def raw_safetensors(tmp_path: Path) -> Callable[..., Path]:
    """Write a safetensors file of any header, also of one that the library would not write."""

    def write(header: Any, data: bytes = b"", length: int | None = None) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "raw.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return path

    return write
