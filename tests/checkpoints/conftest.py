import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.checkpoints.web import Web

from specflow.checkpoints import remote_http
from specflow.checkpoints.opening import open_checkpoint
from specflow.checkpoints.remote_http import Patience
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


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Web]]:
    """Start web servers, which end with the test; they are waited for in hundredths of seconds."""
    patience = Patience(tries=3, pause=0.001, longest=0.2, silence=0.3, slowest=1000)
    monkeypatch.setattr(remote_http, "PATIENCE", patience)
    with ExitStack() as running:

        def start() -> Web:
            server = running.enter_context(Web())
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            running.callback(server.shutdown)
            return server

        yield start
    remote_http._pool.cache_clear()
