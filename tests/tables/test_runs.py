import h5py
import pytest

from specflow.hdf5 import write
from specflow.tables.runs import curves_in


@pytest.fixture
def group(tmp_path):
    with h5py.File(tmp_path / "curves.h5", "w") as file:
        for curve in ("full/1.0", "top/0.5"):
            for metric in ("loss", "error", "loss_baseline", "baseline"):
                write(file, f"{curve}/train/{metric}", [0.0])
        yield file


def test_curves_come_by_keep_and_leave_baselines_out(group):
    found = curves_in(group, ("top", "full"))
    assert found == [
        (keep, fraction, "train", metric)
        for keep, fraction in (("top", "0.5"), ("full", "1.0"))
        for metric in ("baseline", "error", "loss")
    ]
