import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 65_536

# In a process of its own, since HDF5 may crash on a failed write, at once or when it ends.
WRITE = """
import pathlib, sys
import numpy
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import write_dataset
from specflow.errors import SpecflowError
path = pathlib.Path(sys.argv[1]) / "x.h5"
params = dict(modulus=97, train_fraction=0.5, seed=0)
config = ModularAdditionParams(kind="modular_addition", **params)
for _ in range(2):
    try:
        if sys.argv[2] == "while_writing":
            with write_dataset(path, config) as writer:
                for _ in range(100):
                    writer.append("train", "inputs", numpy.ones(100_000, numpy.uint8))
        else:  # 300 kB, which HDF5 holds back until the file is closed
            config.prepare(path)
    except SpecflowError as error:
        print(error, "| left:", sorted(path.parent.iterdir()))
"""


def run(folder: Path, when: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", WRITE, folder, when],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit_file_size,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def limit_file_size() -> None:
    """Let every write beyond `LIMIT` fail, as on a full disk, without any privilege."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))


@pytest.mark.parametrize("when", ["while_writing", "while_closing"])
def test_failed_write_is_named_and_leaves_nothing(tmp_path: Path, when: str) -> None:
    output = run(tmp_path, when)
    assert output.count("x.h5: [Errno 27] File too large") == 2
    assert output.count("| left: []\n") == 2


def test_failed_write_keeps_the_file_before(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("before")
    run(tmp_path, "while_writing")
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_text() == "before"
