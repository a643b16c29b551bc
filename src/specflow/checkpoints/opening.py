"""Opening the file, or files, of one step: of any kind that holds one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from specflow.checkpoints.base import Tensors
from specflow.checkpoints.mapped import MappedFile
from specflow.checkpoints.safetensors_files import SafetensorsFile
from specflow.checkpoints.sharded import ShardedFile, shards_of
from specflow.checkpoints.torch_files import TorchFile
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import check_names

Kind = Literal["trajectory", "index", "safetensors", "torch"]

INDEX_SUFFIX = ".index.json"
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")


@contextmanager
def open_checkpoint(path: Path, key: str | None = None) -> Iterator[Tensors]:
    """Open a checkpoint of one step for reading; nothing in it is executed.

    Args:
        path: The file; an index stands for all its shards.
        key: Where the weights are in a PyTorch file, with dots; None finds them under usual keys.

    Yields:
        The tensors.

    Raises:
        SpecflowError: If the file is missing, damaged, of no known kind, would have to execute
            code, or has a tensor whose name is no HDF5 path.
    """
    kind = kind_of(path)
    file = (
        ShardedFile(path, lambda shard: _open_one(shard, kind_of(shard), key))
        if kind == "index"
        else _open_one(path, kind, key)
    )
    try:
        check_names(path, file.infos)
        yield file
    finally:
        file.release()


def kind_of(path: Path) -> Kind:
    """Return what kind of checkpoint a file is, by its first bytes and its name.

    Raises:
        SpecflowError: If it is missing, cannot be read, or is of no known kind.
    """
    if not path.is_file():
        raise SpecflowError(f"{path}: there is no such file; expected a checkpoint")
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise SpecflowError(f"{path}: cannot be read ({one_line(error)})") from error
    if path.name.endswith(INDEX_SUFFIX):
        return "index"
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "trajectory"
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return "safetensors"
    if path.suffix in TORCH_SUFFIXES or start.startswith(b"PK\x03\x04"):
        return "torch"
    raise SpecflowError(
        f"{path}: of no known kind; expected safetensors, an index of shards (*{INDEX_SUFFIX}), "
        f"a file of torch.save ({', '.join(TORCH_SUFFIXES)}) or a trajectory of specflow"
    )


def files_of(path: Path) -> list[Path]:
    """Return all files of a checkpoint: itself, and the shards if it is an index of them.

    Raises:
        SpecflowError: If the index is broken or a shard is missing.
    """
    return [path, *(shards_of(path) if kind_of(path) == "index" else ())]


def _open_one(path: Path, kind: Kind, key: str | None) -> MappedFile:
    if kind == "torch":
        return TorchFile(path, key)
    if kind == "safetensors":
        return SafetensorsFile(path)
    raise SpecflowError(f"{path}: a shard of kind {kind}; expected safetensors or torch.save")
