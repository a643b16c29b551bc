"""What names and shapes do not tell of LoRA: the scale, from adapter_config.json or beside it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from specflow.checkpoints.base import Tensors
from specflow.checkpoints.effective.parts import Beside
from specflow.errors import SpecflowError
from specflow.wiring.tensors import FLOATS

_MOST = 1e300  # of a number in a file, which may have any
_PLAIN = re.compile(r"(\^?)([\w.-]+)")


@dataclass(frozen=True)
class Adapter:
    """What names and shapes do not tell of the LoRA of a layer.

    Attributes:
        scale: What B A is multiplied by, alpha / r; None if it is not known.
        is_added: Whether the layer adds it to the weight that is kept.
        experts: Number of experts whose factors are stacked in A and in B; None if there are some,
            and it is not known how many.
        inputs_first: Whether inputs come first in that weight, where its shape does not tell.
    """

    scale: float | None
    is_added: bool = True
    experts: int | None = 1
    inputs_first: bool = False


class AlphaError(SpecflowError):
    """A scale of LoRA in a file is no number to scale with; whoever knows the file names it."""


Adapters = Callable[[str, str, int], Adapter]  # of a layer, the name of an adapter, and its rank


def adapter_in_files(
    tensors: Tensors, beside: Beside, layer: str, adapter: str, rank: int
) -> Adapter:
    """Return what lies beside the factors, or in adapter_config.json, of a layer.

    Args:
        tensors: The tensors of the step, of which `alpha` of the layer may be one (kohya).
        beside: Reads adapter_config.json.
        layer: Name of the layer.
        adapter: Name of the adapter; the file does not tell whose config lies beside it.
        rank: Length of the first dimension of A.

    Raises:
        AlphaError: If alpha is no finite number.
        SpecflowError: If adapter_config.json is broken.
    """
    name = f"{layer}.alpha"
    info = tensors.infos.get(name)
    if info and math.prod(info.shape) == 1 and info.dtype in FLOATS:
        if not math.isfinite(alpha := float(tensors.read(name))):
            raise AlphaError(f"{name!r} is {alpha}; expected a finite number, alpha of LoRA")
        return Adapter(alpha / rank)
    config = beside("adapter_config.json") or {}
    if config.get("peft_type", "LORA") != "LORA":
        return Adapter(None)
    experts = _experts(config, layer, rank)
    given, each = _of_layer(config, "lora_alpha", "alpha_pattern", layer), rank // (experts or 1)
    divisor = math.sqrt(each) if config.get("use_rslora") is True else each
    return Adapter(
        None if given is None or experts is None else given / divisor,
        experts=experts,
        inputs_first=config.get("fan_in_fan_out") is True,
    )


def _experts(config: Mapping[str, Any], layer: str, rank: int) -> int | None:
    """Return how many experts have their factors in A; parameters of their own tell some."""
    if not config.get("target_parameters"):
        return None if layer.removesuffix(".base_layer").endswith("experts") else 1
    each = _of_layer(config, "r", "rank_pattern", layer)
    return int(rank // each) if each and each > 0 and rank % each == 0 else None


def _of_layer(config: Mapping[str, Any], key: str, patterns_key: str, layer: str) -> float | None:
    """Return a number of a layer; None where it is not told in plain names."""
    patterns = config.get(patterns_key) or {}
    found: Any = config.get(key)
    if not isinstance(patterns, dict):
        return None
    for pattern, number in reversed(patterns.items()):  # the first that matches counts
        plain = _PLAIN.fullmatch(pattern)
        if plain is None:  # a regular expression of a file may take forever
            return None
        if layer == plain[2] or (not plain[1] and layer.endswith(f".{plain[2]}")):
            found = number
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and abs(found) < _MOST else None
