"""The tensors of a step as the layers of its network apply them, whatever its file keeps of them.

A layer may apply what no entry of a state dict is: a weight that is normed, times its scales, or
with what an adapter adds. Here such a weight stands under the name of the layer's parameter, and is
made when it is read; what it is made of is no tensor any more. Rules find it one after the other,
each in what those before it left.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors, expect
from specflow.checkpoints.effective.adapters import adapter_weights
from specflow.checkpoints.effective.alpha import Adapters
from specflow.checkpoints.effective.lora import lora_weights
from specflow.checkpoints.effective.norms import normed_weights
from specflow.checkpoints.effective.packed import packed_weights
from specflow.checkpoints.effective.parts import Beside, Recomposed, Rule
from specflow.checkpoints.effective.scaled import scaled_weights
from specflow.checkpoints.effective.states import training_states
from specflow.wiring.tensors import TensorInfo


class Effective:
    """The tensors of a step as layers apply them (`Tensors`).

    Attributes:
        infos: Shape and dtype of every tensor by name; what is made is float64.
        skipped: Why an entry is no tensor that a layer applies, by its name.
        composed: How a tensor is made of others, by its name: "weight norm", "LoRA: W + 2 B A".
        quantized: The format of tensors of a few bits that are not read as what they stand for, by
            name: packed integers, float8 without a scale.
        quantized_share: Share of these in the bytes of all tensors, in [0, 1].
    """

    def __init__(self, tensors: Tensors, beside: Beside, adapters: Adapters | None = None) -> None:
        """Find what is made of what; no weight is read.

        Args:
            tensors: The tensors of a file, or of a network in memory, without wrappers in names.
            beside: Returns what a JSON file beside them says, None without one.
            adapters: What a live network knows of its adapters.

        Raises:
            SpecflowError: If a JSON file that is needed is broken.
        """
        given, composed, quantized = tensors.infos, dict[str, str](), dict[str, str]()
        for rule in _rules(adapters):
            found = rule(tensors, beside)
            quantized |= found.quantized
            if not found.composed and not found.skipped:
                continue
            tensors = Recomposed(tensors, found)
            for name, how in tensors.composed.items():
                before = composed.get(name)
                composed[name] = f"{how}, W: {before}" if before else how
        self._tensors = tensors
        self.infos: Infos = tensors.infos
        self.skipped: Mapping[str, str] = tensors.skipped
        self.composed: Mapping[str, str] = {k: v for k, v in composed.items() if k in self.infos}
        self.quantized: Mapping[str, str] = quantized
        self.quantized_share = _bytes_of(quantized, given) / max(_bytes_of(given, given), 1)

    def read(self, name: str) -> Tensor:
        """Return a tensor on the CPU, made of its parts if it has some; errors as of its file."""
        return self._tensors.read(name)

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read."""
        expect(self._tensors, names)


def quantized_part(tensors: Tensors) -> str | None:
    """Return what part of a step is quantized and in which formats, None if nothing is."""
    if not isinstance(tensors, Effective) or not tensors.quantized:
        return None
    formats = ", ".join(dict.fromkeys(tensors.quantized.values()))
    return f"{100 * tensors.quantized_share:.3g}% of all bytes are quantized: {formats}"


def _rules(adapters: Adapters | None) -> Sequence[Rule]:
    lora = partial(lora_weights, adapters=adapters)
    return (training_states, packed_weights, scaled_weights, normed_weights, lora, adapter_weights)


def _bytes_of(names: Mapping[str, object], infos: Mapping[str, TensorInfo]) -> int:
    chosen = (infos[name] for name in names)
    return sum(math.prod(info.shape) * info.dtype.itemsize for info in chosen)
