"""A checkpoint at a URL, read tensor by tensor: a weight is in memory while it is used alone."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise, takewhile, tee
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import torch
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from torch import Tensor

from specflow.checkpoints.beside import MAX_BYTES, object_in
from specflow.checkpoints.effective.tensors import Effective
from specflow.checkpoints.folders import INDEX_SUFFIX
from specflow.checkpoints.formats import told_by
from specflow.checkpoints.opening import (
    MAX_INDEX_BYTES,
    ShardedFile,
    tensors_of,
    weight_map_in,
)
from specflow.checkpoints.remote.ahead import ReadAhead
from specflow.checkpoints.remote.files import RemoteFile, fetch
from specflow.checkpoints.remote.http import RefusedError
from specflow.checkpoints.remote.places import Resource
from specflow.errors import SpecflowError, one_line, shown

MAX_HEADER_BYTES = 100 * 10**6  # as the safetensors library has it
_TOGETHER = 2**23  # bytes of one request for tensors that will be read, unless one has more
_LENGTH = 8  # bytes that hold the length of a header
_Whole = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Published:
    """What a hub says of a file before it is read.

    Attributes:
        path: Where it lies in its revision.
        size: Its size in bytes.
        content: A hash of its content: SHA-256 if it is large, else that of git.
    """

    path: str
    size: int
    content: str


class _Entry(BaseModel):
    """What a safetensors header says of a tensor."""

    dtype: str
    shape: tuple[_Whole, ...]
    data_offsets: tuple[_Whole, _Whole]


_HEADER = TypeAdapter(dict[str, _Entry])


class RemoteSafetensors:
    """A safetensors file on a server: its header first, then ranges of tensors (`Tensors`).

    Attributes:
        file: The file, whole.
    """

    def __init__(self, file: RemoteFile, ahead: ReadAhead) -> None:
        """Read the header; `ahead` says what may be received with a tensor.

        Raises:
            SpecflowError: If the file cannot be had or its header does not fit it.
        """
        self.file, self._ahead = file, ahead
        self._waiting: dict[str, Tensor] = {}
        self._expected: set[str] = set()  # will be read, and was not received since
        start = file.read(0, _LENGTH)
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, file.state.size - _LENGTH):
            self._refuse(f"begins with {bytes(start)!r}")
        begin = _LENGTH + length
        header = self._checked(bytes(file.read(_LENGTH, length)), file.state.size - begin)
        self.infos, self.skipped, self._places = told_by(header, begin)
        in_file = sorted(self.infos, key=lambda name: self._places[name].offset)
        self._next = dict(pairwise(in_file))

    def read(self, name: str) -> Tensor:
        """Return one tensor, by one request or less.

        Raises:
            SpecflowError: If it cannot be had, or the file has changed since it was opened.
        """
        info = self.infos[name]
        data = self._waiting.pop(name, None)
        if data is None:
            data = self._received(name)
        else:
            self._ahead.asked_for(data.nbytes)
        return data.view(info.dtype).reshape(info.shape)

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read: those that follow each other come together."""
        self._expected.update(name for name in names if name not in self._waiting)

    def close(self) -> None:
        """Do nothing: between two tensors no answer is open."""

    def forget(self) -> None:
        """Drop what waits and what is expected: nothing will be read for now."""
        self._ahead.dropped(sum(data.nbytes for data in self._waiting.values()))
        self._waiting.clear()
        self._expected.clear()

    def _received(self, name: str) -> Tensor:
        """Return the bytes of a tensor; what is received with it waits."""
        self._expected.discard(name)
        start, size = self._places[name].offset, self._size(name)
        if not size:
            return torch.empty(0, dtype=torch.uint8)
        along = self._along(name, size)
        self._expected.difference_update(along)
        data = torch.empty(size + sum(map(self._size, along)), dtype=torch.uint8)
        self.file.read_into(start, data.numpy().data)
        for other in along:
            begin = self._places[other].offset - start
            self._waiting[other] = data[begin : begin + self._size(other)].clone()
        return data[:size].clone() if data.nbytes > 2 * size else data[:size]

    def _along(self, name: str, size: int) -> list[str]:
        """Return what is received with a tensor of those behind it."""
        held, wanted = size, list[str]()
        for other in takewhile(self._expected.__contains__, self._behind(name)):
            held += self._size(other)
            if held > _TOGETHER:
                break
            wanted.append(other)
        del wanted[self._ahead.expected(map(self._size, wanted)) :]
        rest, same = tee(self._behind(wanted[-1] if wanted else name))
        count = self._ahead.with_next(size, map(self._size, same))
        return wanted + list(islice(rest, count))

    def _behind(self, name: str) -> Iterator[str]:
        """Yield the tensors that lie behind one without a gap and do not wait."""
        end = self._places[name].offset + self._size(name)
        while (following := self._next.get(name)) and following not in self._waiting:
            if self._places[following].offset != end:
                return
            name, end = following, end + self._size(following)
            yield name

    def _size(self, name: str) -> int:
        info = self.infos[name]
        return math.prod(info.shape) * info.dtype.itemsize

    def _checked(self, content: bytes, num_data: int) -> dict[str, Any]:
        """Return the header without its metadata; every byte of the data belongs to one tensor."""
        try:
            found = json.loads(content).items()
            entries = _HEADER.validate_python({k: v for k, v in found if k != "__metadata__"})
        except (ValidationError, ValueError, AttributeError, RecursionError) as error:
            self._refuse(f"a broken header ({one_line(error)})")
        end = 0
        for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
            if entry.data_offsets[0] != end or entry.data_offsets[1] < end:
                self._refuse(f"{shown(name)} lies at {entry.data_offsets}, not from {end} on")
            end = entry.data_offsets[1]
        if end != num_data:
            self._refuse(f"tensors of {end} bytes, data of {num_data}")
        header = {name: entry.model_dump() for name, entry in entries.items()}
        for name, info in told_by(header, 0)[0].items():
            begin, end = entries[name].data_offsets
            if math.prod(info.shape) * info.dtype.itemsize != end - begin:
                self._refuse(f"{shown(name)} of shape {info.shape} has {end - begin} bytes")
        return header

    def _refuse(self, problem: str) -> NoReturn:
        raise SpecflowError(f"{self.file.place}: {problem}; expected a whole safetensors file")


class RemoteStep:
    """A checkpoint of one step at a URL; its header is read once, however often it is opened.

    Attributes:
        published: What a hub says of each of its files, by place; None where no hub has it.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[], Resource],
        ahead: ReadAhead,
        published: Mapping[str, Published] | None = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            name: What it is called.
            find: Returns the file, or the index of its shards; called when it is opened.
            ahead: Says what may be received with a tensor; of all steps of a training.
            published: What is known of all that lies beside it, by place; None if nothing is.
        """
        self._name, self._find, self._ahead, self.published = name, find, ahead, published
        self._files: list[RemoteSafetensors] = []
        self._num_open = 0  # times that it is open now

    def __str__(self) -> str:
        return self._name

    @contextmanager
    def open(self) -> Iterator[Effective]:
        """Open it for reading; when it is closed as often, nothing that was received is left.

        Yields:
            The tensors, by names without those of wrappers.

        Raises:
            SpecflowError: If it cannot be had, is broken, or has a tensor whose name is no path of
                HDF5.
        """
        tensors = self._tensors
        self._num_open += 1
        try:
            yield tensors
        finally:
            self._num_open -= 1
            for file in self._files if not self._num_open else ():
                file.forget()

    def fingerprint(self) -> str:
        """Return what changes when a file does: what was published or is said of each.

        What lies beside them counts by what it makes of tensors: scales of adapters and of blocks.

        Raises:
            SpecflowError: As for `open`.
        """
        with self.open() as tensors:
            known = self.published or {}
            files = [one.file for one in self._files]
            states = {file.place: known.get(file.place) or file.state for file in files}
        told = (*states.items(), *tensors.composed.items())
        return "".join(f"{name} {what}\n" for name, what in told)

    def json_beside(self, name: str) -> Mapping[str, Any] | None:
        """Return what a JSON file in the folder of the checkpoint says; None if there is none.

        Stores of objects answer 403, too, where there is none.

        Raises:
            SpecflowError: If the server fails, or it is no JSON object of at most 10 MiB.
        """
        resource = _beside(self._find(), name)
        if self.published is not None and resource.place not in self.published:
            return None
        try:
            return object_in(resource.place, fetch(resource, MAX_BYTES).content)
        except RefusedError:
            return None

    @cached_property
    def _tensors(self) -> Effective:
        resource = self._find()
        place = resource.place
        if not place.endswith(INDEX_SUFFIX):
            return tensors_of(place, self._safetensors(resource), self.json_beside)
        shard_of = weight_map_in(place, fetch(resource, MAX_INDEX_BYTES).content)
        shards = {
            shard: self._safetensors(_beside(resource, shard))
            for shard in dict.fromkeys(shard_of.values())
        }
        return tensors_of(place, ShardedFile(place, shard_of, shards), self.json_beside)

    def _safetensors(self, resource: Resource) -> RemoteSafetensors:
        known = None if self.published is None else self.published.get(resource.place)
        if known is None and self.published is not None:
            raise SpecflowError(f"{resource.place}: there is no such file; its index names it")
        file = RemoteFile(resource, None if known is None else known.size)
        self._files.append(RemoteSafetensors(file, self._ahead))
        return self._files[-1]


def _beside(index: Resource, name: str) -> Resource:
    """Return what lies beside an index by a name that it gives.

    Raises:
        SpecflowError: If it would lie outside the folder.
    """
    if not name.isprintable() or {"", "..", "."} & set(name.split("/")):
        problem = f"the index names the shard {shown(name)}"
        raise SpecflowError(f"{index.place}: {problem}; expected a file within its folder")
    url, place = urlsplit(index.url), index.place.rpartition("/")[0]
    folder = url.path.rpartition("/")[0]
    beside = url._replace(path=f"{folder}/{quote(name)}").geturl()
    return Resource(f"{place}/{name}", beside, index.token)
