"""Opening the file, or the files that an index names, of one step."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors, expect
from specflow.checkpoints.beside import json_beside
from specflow.checkpoints.effective.alpha import AlphaError
from specflow.checkpoints.effective.parts import Beside
from specflow.checkpoints.effective.tensors import Effective
from specflow.checkpoints.folders import INDEX_SUFFIX, TORCH_SUFFIXES
from specflow.checkpoints.foreign import START, foreign, is_text, what_is
from specflow.checkpoints.formats import SafetensorsFile, TensorFile
from specflow.checkpoints.torch_files import ARCHIVE, TorchFile
from specflow.checkpoints.wrappers import Unwrapped
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import check_names, in_natural_order

Kind = Literal["trajectory", "index", "safetensors", "torch"]

MAX_INDEX_BYTES = 100 * 2**20
_OF_INDEX = 'expected {"weight_map": {tensor: file of the same folder}}'
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


@contextmanager
def open_checkpoint(path: Path, key: str | None = None) -> Iterator[Effective]:
    """Open a checkpoint of one step for reading; nothing in it is executed.

    Args:
        path: The file; an index stands for all its shards.
        key: Where the weights are in a PyTorch file, with dots; None finds them under usual keys.

    Yields:
        The tensors as layers apply them (`Effective`), by names without those of wrappers.

    Raises:
        SpecflowError: If the file is missing, damaged, of no known kind, would have to execute
            code, or has a tensor whose name is no HDF5 path.
    """
    file = _sharded(path, key) if kind_of(path) == "index" else _open_file(path, key)
    try:
        yield tensors_of(path, file, partial(json_beside, path))
    finally:
        file.close()


def tensors_of(place: str | Path, file: Tensors, beside: Beside) -> Effective:
    """Return the weights of a file, in whatever `place`, as layers apply them.

    Raises:
        SpecflowError: If the name of one is no HDF5 path, a scale is not finite, or what lies
            beside it is broken.
    """
    check_names(place, file.infos)
    try:
        return Effective(Unwrapped(file), beside)
    except AlphaError as error:
        raise SpecflowError(f"{place}: {error}") from error


def kind_of(path: Path) -> Kind:
    """Return what kind of checkpoint a file is, by its first bytes and its name.

    Raises:
        SpecflowError: If it is missing, cannot be read, or is of no known kind.
    """
    if not path.is_file():
        raise SpecflowError(f"{path}: there is no such file; expected a checkpoint")
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError as error:
        raise SpecflowError(f"{path}: cannot be read ({one_line(error)})") from error
    if start[4:9] == b"\0\0\0\0{":  # a header of less than 4 GiB
        return "safetensors"
    if what := foreign(path, start):
        raise SpecflowError(f"{path}: {what}")
    if path.name.endswith(INDEX_SUFFIX):
        return "index"
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "trajectory"
    if path.suffix == ".safetensors":
        return "safetensors"
    is_named = path.suffix in TORCH_SUFFIXES and not is_text(start)
    if is_named or start.startswith((ARCHIVE, *_PICKLES)):
        return "torch"
    raise SpecflowError(
        f"{path}: {what_is(path, start)}; expected safetensors, an index of shards "
        f"(*{INDEX_SUFFIX}), a file of torch.save or a trajectory of specflow"
    )


def files_of(path: Path) -> list[Path]:
    """Return all files of a checkpoint: itself, and the shards if it is an index of them.

    Raises:
        SpecflowError: If the index is broken or a shard is missing.
    """
    shards = _shards_in(path, _shard_of_tensors(path)) if kind_of(path) == "index" else {}
    return [path, *shards.values()]


class Shard(Tensors, Protocol):
    """The tensors of a file that may be open between two of them."""

    def close(self) -> None:
        """Close what is open; the next read opens it again."""


class ShardedFile:
    """An index (*.index.json) and its shards, which lie in its folder (`Tensors`)."""

    def __init__(
        self, place: str | Path, shard_of: Mapping[str, str], shards: Mapping[str, Shard]
    ) -> None:
        """Look for the tensors of the index of `place` in its shards.

        Raises:
            SpecflowError: If the index does not fit the shards.
        """
        self._home: dict[str, Shard] = {}
        self._last: Shard | None = None  # that was read
        for name in in_natural_order(shard_of):
            file = shards[shard_of[name]]
            if name in file.infos:
                self._home[name] = file
            elif name not in file.skipped:
                raise SpecflowError(
                    f"{place}: {name!r} is not in {shard_of[name]}, as the index says"
                )
        self.infos: Infos = {name: file.infos[name] for name, file in self._home.items()}
        skipped: dict[str, str] = {}
        for shard, file in shards.items():
            astray = f"in {shard}, where the index does not have it"
            skipped |= {**file.skipped, **dict.fromkeys(file.infos, astray)}
        self.skipped: Mapping[str, str] = {
            name: why for name, why in skipped.items() if name not in self._home
        }

    def read(self, name: str) -> Tensor:
        """Return a copy of one tensor; errors as of its shard. One shard at a time is open."""
        home = self._home[name]
        if self._last is not home:
            self.close()
            self._last = home
        return home.read(name)

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read."""
        for name in names:
            expect(self._home[name], [name])

    def close(self) -> None:
        """Close the shard that is open; the next read opens it again."""
        if self._last is not None:
            self._last.close()


def _sharded(path: Path, key: str | None) -> ShardedFile:
    shard_of = _shard_of_tensors(path)
    shards = {name: _open_file(at, key) for name, at in _shards_in(path, shard_of).items()}
    return ShardedFile(path, shard_of, shards)


def _open_file(path: Path, key: str | None) -> TensorFile:
    kind = kind_of(path)
    if kind == "torch":
        return TorchFile(path, key)
    if kind == "safetensors":
        return SafetensorsFile(path)
    raise SpecflowError(f"{path}: a shard of kind {kind}; expected safetensors or torch.save")


def _shard_of_tensors(path: Path) -> Mapping[str, str]:
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise SpecflowError(f"{path}: larger than {MAX_INDEX_BYTES} bytes; {_OF_INDEX}")
    return weight_map_in(path, path.read_bytes())


def weight_map_in(place: str | Path, content: bytes) -> Mapping[str, str]:
    """Return the shard of every tensor, as the content of the index in `place` says.

    Raises:
        SpecflowError: If it says no such thing.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SpecflowError(f"{place}: broken ({one_line(error)}); {_OF_INDEX}") from error
    shard_of = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise SpecflowError(f"{place}: no weight_map; {_OF_INDEX}")
    for name, shard in shard_of.items():
        if not isinstance(shard, str):
            raise SpecflowError(f"{place}: weight_map has {shard!r} for {name!r}; {_OF_INDEX}")
    return shard_of


def _shards_in(path: Path, shard_of: Mapping[str, str]) -> dict[str, Path]:
    return {shard: _inside(path, shard) for shard in in_natural_order(set(shard_of.values()))}


def _inside(path: Path, shard: str) -> Path:
    """Return the path of a shard, which must be within the folder of the index.

    In a cache of links the index is a link too, and its shards lie where it leads.

    Raises:
        SpecflowError: If it would lie outside the folder, or is missing.
    """
    problem = f"{path}: the index names the shard {shard!r}"
    parts = PurePosixPath(shard)
    if "\0" in shard or parts.is_absolute() or ".." in parts.parts:
        raise SpecflowError(f"{problem}; expected a file within its folder")
    place = path.parent / shard
    folders = (path.parent.resolve(), path.resolve().parent)
    if not any(place.resolve().is_relative_to(folder) for folder in folders):
        raise SpecflowError(f"{problem}, a link that leaves the folder; expected a file within it")
    if not place.is_file():
        raise SpecflowError(f"{problem}, which is not there")
    return place
