"""What is known of a network beside the names and shapes of its tensors, and from where."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_HEADS = ("num_attention_heads", "num_heads", "n_head", "n_heads")
_BLOCKS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
TOWERS = {  # the section of a config, and words in the names of what it describes
    "vision_config": ("vision", "visual", "image"),
    "text_config": ("text", "language"),
    "audio_config": ("audio", "speech"),
    "qformer_config": ("qformer",),
    "encoder": ("encoder",),
    "decoder": ("decoder",),
}


@dataclass(frozen=True)
class Layer:
    """What a module does with a weight.

    Attributes:
        inputs_first: Whether it lies (inputs, outputs): transposed convolutions, Conv1D.
        groups: Of a convolution.
    """

    inputs_first: bool = False
    groups: int = 1


@dataclass(frozen=True)
class Structure:
    """What is known of a network beside names and shapes.

    Attributes:
        source: From where, for messages.
        config: What config.json says; empty where there is none.
        layers: What modules do with their weights, by tensor; others are not known.
        heads: Attention heads, by the path of the module that has them.
        sequences: Weights in the order in which modules that follow each other apply them.
        tied: Tensors that are another one, which is the value.
        gate_last: Whether the second half of what an MLP's first layer writes is the gate, by path.
    """

    source: str = "names and shapes"
    config: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    heads: Mapping[str, int] = field(default_factory=dict)
    sequences: Sequence[Sequence[str]] = ()
    tied: Mapping[str, str] = field(default_factory=dict)
    gate_last: Mapping[str, bool] = field(default_factory=dict)

    def heads_of(self, stack: str) -> int | None:
        """Return the attention heads of the blocks of a stack, where they are known."""
        own = self.heads_within(stack)
        if own is not None:
            return own
        section = _tower(self.config, stack)
        for key in (f"{_side(stack)}_attention_heads", *_HEADS):
            count = section.get(key)
            if isinstance(count, Sequence) and not isinstance(count, str):
                stage = int((re.findall(r"\d+", stack) or [0])[-1])  # one for each stage
                count = count[stage] if stage < len(count) else None
            if isinstance(count, int) and not isinstance(count, bool) and count > 0:
                return count
        return None

    def num_blocks_of(self, stack: str) -> int | None:
        """Return how many blocks the config counts in a stack; None if it does not, or by stages.

        What stands before their numbers may hold another number: then they are those of a stage.
        """
        section = _tower(self.config, stack)
        side = _side(stack)
        counts = [section.get(key) for key in (f"{side}_layers", f"num_{side}_layers", *_BLOCKS)]
        told = (count for count in counts if isinstance(count, int))
        is_stage = any(part.isdecimal() for part in stack.split("."))
        return None if is_stage else next(told, None)

    def heads_within(self, start: str) -> int | None:
        """Return the attention heads of all modules whose paths start so, where they have one."""
        own = {count for path, count in self.heads.items() if f"{path}.".startswith(start)}
        return own.pop() if len(own) == 1 else None

    def says(self, key: str, stack: str = "") -> Any:
        """Return what the config says of a stack under a key; None if it says nothing."""
        return _tower(self.config, stack).get(key, self.config.get(key))


def _side(stack: str) -> str:
    return "decoder" if "decoder" in stack else "encoder"


def _tower(config: Mapping[str, Any], stack: str) -> Mapping[str, Any]:
    """Return the section of a config that describes a stack."""
    sections = {name: config[name] for name in TOWERS if isinstance(config.get(name), Mapping)}
    for name, section in sections.items():
        if any(word in stack for word in TOWERS[name]):
            return section
    language = sections.get("text_config", {})
    return language if sections and not any(key in config for key in _HEADS) else config
