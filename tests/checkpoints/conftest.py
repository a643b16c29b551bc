import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError


@pytest.fixture
def raw_safetensors(tmp_path: Path) -> Callable[..., Path]:
    """Write a safetensors file of any header, also of one that the library would not write."""

    def write(header: Any, data: bytes = b"", length: int | None = None) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "raw.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return path

    return write


@pytest.fixture
def refused() -> Callable[..., None]:
    """Check that a file is refused in one line that begins with its path."""

    def check(path: Path, match: str, key: str | None = None) -> None:
        with pytest.raises(SpecflowError, match=match) as error:
            open_checkpoint(path, key).__enter__()
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(str(path.parent))

    return check
