import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own, since HDF5 may crash on a failed write, at once or when it ends. Every
# write beyond 64 KiB fails, as on a full disk, without any privilege.
WRITE = """
import pathlib, resource, sys
import numpy
from specflow.datasets.modular_addition import ModularAdditionParams
from specflow.datasets.storage import write_dataset
from specflow.errors import SpecflowError
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
path = pathlib.Path("x.h5")
params = dict(modulus=97, train_fraction=0.5, seed=0)
config = ModularAdditionParams(kind="modular_addition", **params)
for _ in range(2):
    try:
        if sys.argv[1] == "while_writing":
            with write_dataset(path, config) as writer:
                for _ in range(100):
                    writer.append("train", "inputs", numpy.ones(100_000, numpy.uint8))
        else:  # 300 kB, which HDF5 holds back until the file is closed
            config.prepare(path)
    except SpecflowError as error:
        print(error, "| left:", *pathlib.Path().iterdir())
        path.write_text("before")
"""


@pytest.mark.parametrize("when", ["while_writing", "while_closing"])
def test_failed_write_is_named_and_leaves_what_was_there(workplace: Path, when: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", WRITE, when],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("x.h5: [Errno 27] File too large") == 2
    assert [line.rpartition(" left:")[2] for line in ended.stdout.splitlines()] == ["", " x.h5"]
    assert Path("x.h5").read_text() == "before"
