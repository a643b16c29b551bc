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
from specflow.datasets import prepare
from specflow.datasets.storage import write_dataset
from specflow.errors import SpecflowError
from specflow.params.datasets import ModularAdditionParams
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
            prepare(config, path)
    except SpecflowError as error:
        print(error, "| left:", sorted(path.parent.iterdir()))
"""
CASES = pytest.mark.parametrize("when", ["while_writing", "while_closing"])


def run(prefix: list[str], folder: Path, when: str, **options) -> str:
    ended = subprocess.run(
        [*prefix, sys.executable, "-W", "error", "-c", WRITE, folder, when],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def limit_file_size() -> None:
    """Let every write beyond `LIMIT` fail, as on a full disk, without any privilege."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))


@CASES
def test_failed_write_is_named_and_leaves_nothing(tmp_path: Path, when: str) -> None:
    output = run([], tmp_path, when, preexec_fn=limit_file_size)
    assert output.count("x.h5: [Errno 27] File too large") == 2
    assert output.count("| left: []\n") == 2


def test_failed_write_keeps_the_file_before(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("before")
    run([], tmp_path, "while_writing", preexec_fn=limit_file_size)
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_text() == "before"


@CASES
def test_full_disk_is_named_and_leaves_nothing(tmp_path: Path, when: str) -> None:
    # A mount namespace ends with its processes, and the tmpfs in it.
    namespace = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f'mount -t tmpfs -o size={LIMIT} tmpfs "$0" && exec "$@"'
    try:
        subprocess.run([*namespace, mount, tmp_path, "true"], check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    output = run([*namespace, mount, str(tmp_path)], tmp_path, when)
    assert output.count("x.h5: [Errno 28] No space left on device") == 2
    assert output.count("| left: []\n") == 2
