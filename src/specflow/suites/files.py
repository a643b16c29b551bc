"""Opening a checkpoint of any kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from specflow.suites.checkpoint import CheckpointFile, one_line
from specflow.suites.errors import SuiteError
from specflow.suites.names import check_names
from specflow.suites.safetensors_files import SafetensorsFile
from specflow.suites.sharded import ShardedFile, shards_of
from specflow.suites.torch_files import TorchFile
from specflow.suites.trajectories import open_step

Kind = Literal["trajectory", "index", "safetensors", "torch"]

INDEX_SUFFIX = ".index.json"
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")


@contextmanager
def open_checkpoint(
    path: Path, key: str | None = None, index: int | None = None
) -> Iterator[CheckpointFile]:
    """Open a checkpoint for reading; nothing in it is executed.

    Args:
        path: The file.
        key: Where the weights are in a PyTorch file, with dots; None finds them under usual keys.
        index: Which kept step of a trajectory; None of any other file.

    Yields:
        The checkpoint.

    Raises:
        SuiteError: If the file is missing, damaged, of no known kind, would have to execute code,
            or has a tensor whose name is no HDF5 path.
    """
    kind = kind_of(path)
    if kind == "trajectory":
        with open_step(path, index) as step:
            check_names(path, step.tensors)
            yield step
        return
    assert index is None, (path, index)
    file = (
        ShardedFile(path, lambda shard: _open_one(shard, kind_of(shard), key))
        if kind == "index"
        else _open_one(path, kind, key)
    )
    check_names(path, file.tensors)
    yield file


def kind_of(path: Path) -> Kind:
    """Return what kind of checkpoint a file is, by its first bytes and its name.

    Raises:
        SuiteError: If it is missing, cannot be read, or is of no known kind.
    """
    if not path.is_file():
        raise SuiteError(f"{path}: there is no such file; expected a checkpoint")
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read ({one_line(error)})") from error
    if path.name.endswith(INDEX_SUFFIX):
        return "index"
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "trajectory"
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return "safetensors"
    if path.suffix in TORCH_SUFFIXES or start.startswith(b"PK\x03\x04"):
        return "torch"
    raise SuiteError(
        f"{path}: of no known kind; expected safetensors, an index of shards (*{INDEX_SUFFIX}), "
        f"a file of torch.save ({', '.join(TORCH_SUFFIXES)}) or a trajectory of specflow"
    )


def files_of(path: Path) -> list[Path]:
    """Return all files of a checkpoint: itself, and the shards if it is an index of them.

    Raises:
        SuiteError: If the index is broken or a shard is missing.
    """
    return [path, *(shards_of(path) if kind_of(path) == "index" else ())]


def _open_one(path: Path, kind: Kind, key: str | None) -> CheckpointFile:
    if kind == "torch":
        return TorchFile(path, key)
    if kind == "safetensors":
        return SafetensorsFile(path)
    raise SuiteError(f"{path}: a shard of kind {kind}; expected safetensors or torch.save")
