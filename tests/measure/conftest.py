import pytest
from tests.measure.walks import layers, walk

from specflow.checkpoints import stream
from specflow.measure import spectra_file


@pytest.fixture
def trained():
    """Four steps of a chain of three layers, and its wiring."""
    state, wiring = layers(9, 12, 10, 7)
    return walk(state, 4), wiring


@pytest.fixture
def batched(monkeypatch):
    """Every matrix is a batch of its own, as if it were large."""
    monkeypatch.setattr(stream, "_EACH_WORKER", 0)
    monkeypatch.setattr(stream, "_typical", lambda sizes: 0)
    monkeypatch.setattr(spectra_file, "_HELD", 0)
