"""The matrices of a network in training, and copies of its weights as they are now."""

import math
from collections.abc import Mapping

from torch import Tensor, nn

from specflow.checkpoints.base import Infos
from specflow.checkpoints.live import LiveCheckpoints
from specflow.checkpoints.network import structure_of_live
from specflow.checkpoints.wrappers import unwrapped
from specflow.errors import SpecflowError
from specflow.live.buffers import Buffers
from specflow.live.settings import WatchParams
from specflow.wiring.coverage import NoMatrixError
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.tensors import TensorInfo

_TOGETHER = 2**28  # bytes of copies that wait, or those of one step
_MOST_STEPS = 16


class Network:
    """A network whose weights change.

    Attributes:
        wiring: Its matrices and pairs.
        infos: The tensors that these are of.
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
        except NoMatrixError as error:
            raise SpecflowError(f"{type(model).__name__}: {error}") from error
        needed = dict.fromkeys(view.tensor for view in self.wiring.views)
        self.infos: Infos = {name: live.infos[name] for name in needed}
        own = self._own()
        self._computed = {
            name
            for name, info in self.infos.items()
            if name in live.composed or name not in own or _info_of(own[name]) != info
        }

    def buffers(self) -> Buffers:
        """Return places for copies at a few steps, of large weights at one.

        Raises:
            SpecflowError: If there is not so much memory.
        """
        size = sum(math.prod(info.shape) * info.dtype.itemsize for info in self.infos.values())
        try:
            return Buffers(self.infos, min(max(_TOGETHER // max(size, 1), 1), _MOST_STEPS))
        except OSError as error:
            raise SpecflowError(f"no memory for copies of the weights ({error})") from error

    def copy_to(self, buffers: Buffers, slot: int) -> Infos:
        """Copy the weights as they are now; return which tensors are as they were at the start."""
        own = self._own()
        live = LiveCheckpoints(self._model) if self._computed else None
        found = {}
        for name, place in buffers.places(slot):
            if live is not None and name in self._computed:
                if live.infos.get(name) == self.infos[name]:
                    place.copy_(live.read(name))
                    found[name] = self.infos[name]
            elif name in own and _info_of(own[name]) == self.infos[name]:
                place.copy_(own[name])
                found[name] = self.infos[name]
        return found

    def _own(self) -> Mapping[str, Tensor]:
        """Return the tensors of its state dict, by names without those of wrappers."""
        state = self._model.state_dict()
        tensors = {name: one for name, one in state.items() if isinstance(one, Tensor)}
        return {name: tensors[given].detach() for given, name in unwrapped(tensors).items()}


def _info_of(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tuple(tensor.shape), tensor.dtype)
