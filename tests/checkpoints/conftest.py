from collections.abc import Callable
from pathlib import Path

import pytest

from specflow.checkpoints.opening import open_checkpoint
from specflow.errors import SpecflowError


@pytest.fixture
def refused() -> Callable[..., None]:
    """Check that a file is refused in one line that begins with its path."""

    def check(path: Path, match: str, key: str | None = None) -> None:
        with pytest.raises(SpecflowError, match=match) as error:
            open_checkpoint(path, key).__enter__()
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(str(path.parent))

    return check
