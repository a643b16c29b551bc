"""Checkpoints in several files: an index names the shard of every tensor."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from torch import Tensor

from specflow.checkpoints.base import Infos
from specflow.checkpoints.mapped import MAPPED_BYTES, MappedFile
from specflow.errors import SpecflowError, one_line
from specflow.wiring.names import in_natural_order

MAX_INDEX_BYTES = 100 * 2**20


class ShardedFile:
    """An index (*.index.json) and its shards, which lie in its folder: `Tensors` of all."""

    def __init__(self, path: Path, open_shard: Callable[[Path], MappedFile]) -> None:
        """Read the index and the names and shapes of all shards.

        Args:
            path: The index.
            open_shard: Opens one shard.

        Raises:
            SpecflowError: If the index is broken, names a file outside its folder, or does not
                fit the shards.
        """
        shard_of = _read_index(path)
        shards = {
            shard: open_shard(_inside(path, shard))
            for shard in in_natural_order(set(shard_of.values()))
        }
        skipped: dict[str, str] = {}
        for shard, file in shards.items():
            skipped |= file.skipped
            astray = [name for name in file.infos if shard_of.get(name) != shard]
            skipped |= {name: f"in {shard}, where the index does not have it" for name in astray}
        self._home: dict[str, MappedFile] = {}
        for name in in_natural_order(shard_of):
            file = shards[shard_of[name]]
            if name in file.infos:
                self._home[name] = file
            elif name not in file.skipped:
                raise SpecflowError(
                    f"{path}: {name!r} is not in {shard_of[name]}, as the index says"
                )
        self._shards, self._num_bytes_read = tuple(shards.values()), 0
        self.infos: Infos = {name: file.infos[name] for name, file in self._home.items()}
        self.skipped: Mapping[str, str] = {
            name: why for name, why in skipped.items() if name not in self._home
        }

    def read(self, name: str) -> Tensor:
        """Return one tensor on the CPU in its own dtype; bounds what all shards have mapped."""
        tensor = self._home[name].read(name)
        self._num_bytes_read += tensor.nbytes
        if self._num_bytes_read > MAPPED_BYTES:
            self.release()
        return tensor

    def release(self) -> None:
        """Close the shards; the next that is read is mapped again."""
        self._num_bytes_read = 0
        for shard in self._shards:
            shard.release()


def shards_of(path: Path) -> list[Path]:
    """Return the shards that an index names.

    Raises:
        SpecflowError: If the index is broken, names a file outside its folder, or one is missing.
    """
    return [_inside(path, shard) for shard in in_natural_order(set(_read_index(path).values()))]


def _read_index(path: Path) -> Mapping[str, str]:
    expected = 'expected {"weight_map": {tensor: file of the same folder}}'
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise SpecflowError(f"{path}: larger than {MAX_INDEX_BYTES} bytes; {expected}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise SpecflowError(f"{path}: broken ({one_line(error)}); {expected}") from error
    shard_of = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise SpecflowError(f"{path}: no weight_map; {expected}")
    for name, shard in shard_of.items():
        if not isinstance(shard, str):
            raise SpecflowError(f"{path}: weight_map has {shard!r} for {name!r}; {expected}")
    return shard_of


def _inside(path: Path, shard: str) -> Path:
    """Return the path of a shard.

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
