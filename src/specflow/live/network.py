"""The matrices of a network in training, and copies of its weights as they are now."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from specflow.checkpoints.base import Infos
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.network import structure_of_live
from specflow.checkpoints.sharded import is_sharded, whole
from specflow.checkpoints.wrappers import unwrapped
from specflow.errors import SpecflowError
from specflow.live.buffers import Buffers
from specflow.live.kinds import Kind
from specflow.live.settings import WatchParams
from specflow.live.transfers import Transfer
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.tensors import TensorInfo

_TOGETHER = 2**28  # bytes of copies that wait, or those of one step
_MOST_STEPS = 16


class Network:
    """A network whose weights change.

    Attributes:
        wiring: Its matrices and pairs.
        infos: The tensors that these are of.
        kinds: What is copied of each, and measured where whole spectra are.
        is_sharded: Whether processes have parts of them, so that all of these copy together.
        is_on_gpu: Whether one of them is in the memory of a GPU.
    """

    def __init__(self, model: nn.Module, params: WatchParams) -> None:
        """Look at its modules, names and shapes; no weight is read.

        Raises:
            SpecflowError: If nothing in it is a matrix that matches.
        """
        self._model = model
        live = LiveCheckpoints(model)
        chosen = LayoutParams(include=params.match, exclude=params.exclude)
        try:
            self.wiring = wiring_of(live.infos, chosen, structure_of_live(model), live.skipped)
        except SpecflowError as error:
            said = re.sub("^include: ", "match: ", str(error))  # what it is called here
            raise SpecflowError(f"{type(model).__name__}: {said}") from error
        needed = dict.fromkeys(view.tensor for view in self.wiring.views)
        self.infos: Infos = {name: live.infos[name] for name in needed}
        own = self._own()
        self._least = 1 if params.leading is None else 2  # steps of both schedules may meet
        self.kinds = [Kind.WEIGHTS]
        self.kinds += [Kind.GRADIENTS] if params.gradients else []
        self.kinds += [Kind.UPDATES] if params.updates else []
        self.is_sharded = any(map(is_sharded, own.values()))
        self.is_on_gpu = any(one.is_cuda for one in own.values())
        self._computed = {
            name
            for name, info in self.infos.items()
            if name in live.composed or name not in own or _info_of(own[name]) != info
        }

    @property
    def waits(self) -> bool:
        """Whether copying waits for a GPU: what weights are computed of is not copied beside it."""
        return self.is_on_gpu and bool(self._computed)

    def buffers(self) -> Buffers:
        """Return places for copies at a few steps, of large weights at as few as will do.

        Raises:
            SpecflowError: If there is not so much memory.
        """
        infos = {kind.of(name): info for kind in self.kinds for name, info in self.infos.items()}
        size = sum(math.prod(info.shape) * info.dtype.itemsize for info in infos.values())
        try:
            return Buffers(infos, min(max(_TOGETHER // max(size, 1), self._least), _MOST_STEPS))
        except OSError as error:
            raise SpecflowError(f"no memory for copies of the weights ({error})") from error

    def copy_to(
        self, buffers: Buffers | None, slot: int, kind: Kind, transfer: Transfer
    ) -> set[str]:
        """Copy weights or gradients as they are now.

        Args:
            buffers: Where to; None only gives what this process has of them to the others.
            slot: Which of the places there.
            kind: What is copied.
            transfer: By what; copies may be read when it is done.

        Returns:
            What the copies are called that were not made: of tensors that are not there, or not in
            the shape that they had.

        Raises:
            SpecflowError: If weights were divided among processes since the watch began.
        """
        if kind == Kind.GRADIENTS:
            tensors = self._gradients()
        else:
            tensors = {**self._own()}
            live = LiveCheckpoints(self._model) if self._computed else None
            for name in self._computed:
                tensors.pop(name, None)
                if live is not None and live.infos.get(name) == self.infos[name]:
                    tensors[name] = live.read(name)
        absent = set()
        for name, info in self.infos.items():
            if name not in tensors or _info_of(tensors[name]) != info:
                absent.add(kind.of(name))
                continue
            if is_sharded(tensors[name]) and not self.is_sharded:
                raise SpecflowError(
                    f"{name}: is divided among processes since the watch began; expected to watch "
                    "the network after that"
                )
            gathered = whole(tensors[name])
            if buffers is not None:
                transfer.copy(buffers.place(slot, kind.of(name)), gathered)
        return absent

    def _gradients(self) -> dict[str, Tensor]:
        """Return the gradients that parameters have, by names without those of wrappers."""
        own = dict(self._model.named_parameters(remove_duplicate=False))
        found = {given: own[given].grad for given in own}
        named = {name: found[given] for given, name in unwrapped(own).items()}
        return {
            name: one
            for name, one in named.items()
            if one is not None and one.layout == torch.strided
        }

    def _own(self) -> Mapping[str, Tensor]:
        """Return the tensors of its state dict, by names without those of wrappers."""
        state = self._model.state_dict()
        tensors = {name: one for name, one in state.items() if isinstance(one, Tensor)}
        return {name: tensors[given].detach() for given, name in unwrapped(tensors).items()}


def _info_of(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tuple(tensor.shape), tensor.dtype)
