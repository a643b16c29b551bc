"""Names of tensors without those of the wrappers that a network was trained in."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors, expect

# DataParallel, compile, FSDP, checkpointed activations, adapters: none computes by itself.
_WRAPPERS = (
    *("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"),
    "_forward_module",
    r"base_layer(?!(?:\.base_layer)*\.lora_)",  # else an adapter of another parameter of the layer
)
_WRAPPER = re.compile(rf"(?:(?<=^)|(?<=\.))(?:{'|'.join(_WRAPPERS)})\.")
_ADAPTED = re.compile(r"^base_model\.model\.")


class Renamed:
    """The tensors of a step by other names (`Tensors`)."""

    def __init__(self, file: Tensors, names: Mapping[str, str]) -> None:
        """Take the new name of every entry, by that in the file."""
        self._file = file
        self._given = {names[name]: name for name in file.infos}
        self.infos: Infos = {name: file.infos[given] for name, given in self._given.items()}
        self.skipped: Mapping[str, str] = {names[name]: why for name, why in file.skipped.items()}

    def read(self, name: str) -> Tensor:
        """Return a copy of one tensor; errors as of its file."""
        return self._file.read(self._given[name])

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read."""
        expect(self._file, map(self._given.__getitem__, names))


class Unwrapped(Renamed):
    """The tensors of a step by names in which wrappers are left out (`Tensors`)."""

    def __init__(self, file: Tensors) -> None:
        """Find the names; two that would become one stay as they are."""
        super().__init__(file, unwrapped([*file.infos, *file.skipped]))


def unwrapped(names: Iterable[str]) -> dict[str, str]:
    """Return every name without wrappers, by the name given.

    If two would become one, all stay as they are: what looks like a wrapper is a part of that
    network.
    """
    found = {name: _ADAPTED.sub("", _WRAPPER.sub("", name)) for name in names}
    return found if len(set(found.values())) == len(found) else {name: name for name in found}
