"""LoRA: of its two factors the matrix that they are, and the weight with it."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective_parts import Beside, Composed, Found

# Ends of the names of A, and of B where A is found.
_ENDS = {
    "lora_A": "lora_B",
    "lora_embedding_A": "lora_embedding_B",
    "lora_down": "lora_up",
    "lora.down": "lora.up",
    "lora_linear_layer.down": "lora_linear_layer.up",
}
_A = re.compile(
    rf"(?:(?P<layer>.+?)\.)?(?P<end>{'|'.join(map(re.escape, _ENDS))})"
    r"(?:\.(?!weight$)(?P<adapter>[^.]+))?(?:\.weight)?"
)
_MAGNITUDE = "lora_magnitude_vector"
_BASES = ("weight", "in_proj_weight")
_MOST_ENTRIES = 2**31  # of what a few vectors make: 262,144 tokens of 8,192 numbers
_PLAIN = re.compile(r"(\^?)([\w.-]+)")

_THIRD = ("lora_E", "lora_mid", "dora_scale")  # with a third factor, B A is not what is added


@dataclass(frozen=True)
class Adapter:
    """What names and shapes do not tell of the LoRA of a layer.

    Attributes:
        scale: What B A is multiplied by, alpha / r; None if it is not known.
        is_added: Whether the layer adds it to the weight that is kept.
        inputs_first: Whether inputs come first in that weight, where its shape does not tell.
    """

    scale: float | None
    is_added: bool = True
    inputs_first: bool = False


Adapters = Callable[[str, str, int], Adapter]  # of a layer, the name of an adapter, and its rank


@dataclass(frozen=True)
class _Lora:
    """The two factors that an adapter adds to a layer.

    `magnitude` is that of DoRA; `third` is a factor between or after the two.
    """

    layer: str
    adapter: str
    is_embedding: bool
    a: str
    b: str
    magnitude: str | None
    third: str | None

    def named(self, end: str) -> str:
        return f"{self.layer}.{end}" if self.layer else end


def lora_weights(tensors: Tensors, beside: Beside, adapters: Adapters | None = None) -> Found:
    """Find what LoRA makes: `X.lora`, that is s B A, and `X.weight`, that is W + s B A.

    With several adapters, those of a layer are `X.lora.<adapter>`. The second needs a weight and a
    scale s = alpha / r (Hu et al. 2021, https://arxiv.org/abs/2106.09685), or alpha / sqrt(r)
    (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732); with magnitudes m it is
    m (W + s B A) / ||W + s B A||, by output (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    Args:
        tensors: The tensors of a step.
        beside: Reads adapter_config.json, for alpha.
        adapters: What a live network knows of them; None takes it from files.
    """
    infos = tensors.infos
    skipped, composed = dict[str, str](), list[Composed]()
    loras, layers = list(_loras(infos)), dict[str, list[_Lora]]()
    several = len({lora.adapter for lora in loras}) > 1
    known = adapters or partial(_in_files, tensors, (lambda _: None) if several else beside)
    for lora in loras:
        if reason := _unfit(lora, infos):
            skipped |= dict.fromkeys((lora.a, lora.b), reason)
        else:
            composed.append(_alone(lora, infos, several, _of(lora, infos, known)))
            layers.setdefault(lora.layer, []).append(lora)
    for of_layer in layers.values():
        one = _added(of_layer, infos, {lora: _of(lora, infos, known) for lora in of_layer})
        composed += [] if one is None else [one]
    return Found(tuple(composed), skipped)


def _loras(infos: Infos) -> Iterator[_Lora]:
    for name in infos:
        match = _A.fullmatch(name) if "lora" in name else None
        if match is None:
            continue
        start, end, rest = name[: match.start("end")], match["end"], name[match.end("end") :]
        b = f"{start}{_ENDS[end]}{rest}"
        if b in infos:
            magnitude = _companion(start, (_MAGNITUDE,), rest, infos)
            third = _companion(start, _THIRD, rest, infos)
            layer, adapter = match["layer"] or "", match["adapter"] or ""
            yield _Lora(layer, adapter, "embedding" in end, name, b, magnitude, third)


def _companion(start: str, ends: Iterable[str], rest: str, infos: Infos) -> str | None:
    """Return what lies beside A under one of other names, a parameter or a module of one."""
    bare = rest.removesuffix(".weight")
    named = (f"{start}{end}{after}" for end in ends for after in (bare, f"{bare}.weight"))
    return next((name for name in named if name in infos), None)


def _unfit(lora: _Lora, infos: Infos) -> str | None:
    """Return why the two factors make no matrix."""
    a, b = infos[lora.a].shape, infos[lora.b].shape
    if lora.third:
        return "LoRA with a third factor: B A is not what is added"
    if len(a) < 2 or len(b) < 2 or a[0] != b[1] or any(size != 1 for size in b[2:]):
        return f"LoRA of experts or groups, no product B A: shape ({a}, {b})"
    if b[0] * math.prod(a[1:]) > _MOST_ENTRIES:
        return f"LoRA whose product has more than {_MOST_ENTRIES} entries"
    return None


def _of(lora: _Lora, infos: Infos, adapters: Adapters) -> Adapter:
    return adapters(lora.layer, lora.adapter, infos[lora.a].shape[0])


def _alone(lora: _Lora, infos: Infos, several: bool, adapter: Adapter) -> Composed:
    end = f"lora.{lora.adapter}" if several and lora.adapter else "lora"
    factor = 1.0 if adapter.scale is None else adapter.scale

    def make(a: Tensor, b: Tensor) -> Tensor:
        return _product(lora, a, b).mul_(factor)

    unknown = "LoRA: B A, without its scale (alpha is not known)"
    how = unknown if adapter.scale is None else f"LoRA: {adapter.scale:g} B A"
    return Composed(
        lora.named(end),
        _shape(lora, infos),
        how,
        (lora.a, lora.b),
        make,
        gone=(lora.magnitude,) if lora.magnitude else (),
    )


def _product(lora: _Lora, a: Tensor, b: Tensor) -> Tensor:
    """Return B A as the weight of its kind of layer lies, in float64."""
    product = b.double().flatten(1) @ a.double().flatten(1)
    return product.T if lora.is_embedding else product.reshape(len(b), *a.shape[1:])


def _shape(lora: _Lora, infos: Infos) -> tuple[int, ...]:
    shape = (infos[lora.b].shape[0], *infos[lora.a].shape[1:])
    return shape[::-1] if lora.is_embedding else shape


def _added(
    loras: Sequence[_Lora], infos: Infos, adapters: Mapping[_Lora, Adapter]
) -> Composed | None:
    """Return the weight of a layer with what adapters add; None if that is not known."""
    shape = _shape(loras[0], infos)
    lying = (shape, shape[::-1]) if len(shape) == 2 else (shape,)
    bases = (loras[0].named(end) for end in _BASES)
    fitting = (name for name in bases if name in infos and infos[name].shape in lying)
    base, added = next(fitting, None), [lora for lora in loras if adapters[lora].is_added]
    scales = [adapters[lora].scale for lora in added]
    magnitudes = [lora.magnitude for lora in added if lora.magnitude]
    known = [scale for scale in scales if scale is not None]
    if base is None or not added or len(known) < len(scales) or (magnitudes and len(added) > 1):
        return None
    given = infos[base].shape
    square = len(set(lying)) == 1 and len(shape) == 2
    told = adapters[loras[0]].inputs_first if square else given != shape
    inputs_first = told and not loras[0].is_embedding

    def make(weight: Tensor, *factors: Tensor) -> Tensor:
        weight = weight.double()
        for place, (lora, scale) in enumerate(zip(added, known, strict=True)):
            product = _product(lora, factors[2 * place], factors[2 * place + 1])
            weight.add_(product.T if inputs_first else product, alpha=scale)
        if magnitudes:
            outputs = 1 if inputs_first or loras[0].is_embedding else 0
            weight = _with_norms(weight, factors[-1].double(), outputs)
        return weight

    parts = [base, *(name for lora in added for name in (lora.a, lora.b)), *magnitudes]
    how = "".join(f" + {scale:g} B A" for scale in known)
    how = f"m (W{how}) / ||W{how}|| (DoRA)" if magnitudes else f"W{how}"
    return Composed(base, given, f"LoRA: {how}", tuple(parts), make)


def _with_norms(weight: Tensor, norms: Tensor, outputs: int) -> Tensor:
    others = [axis for axis in range(weight.ndim) if axis != outputs]
    now = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    return weight.mul_(norms.reshape(now.shape) / now)


def _in_files(tensors: Tensors, beside: Beside, layer: str, adapter: str, rank: int) -> Adapter:
    """Return what lies beside the factors, or in adapter_config.json, of a layer."""
    alpha = f"{layer}.alpha"
    if alpha in tensors.infos and math.prod(tensors.infos[alpha].shape) == 1:
        return Adapter(float(tensors.read(alpha)) / rank)
    config = beside("adapter_config.json") or {}
    given = _alpha(config, layer) if config.get("peft_type", "LORA") == "LORA" else None
    divisor = math.sqrt(rank) if config.get("use_rslora") is True else rank
    scale = None if given is None else given / divisor
    return Adapter(scale, inputs_first=config.get("fan_in_fan_out") is True)


def _alpha(config: Mapping[str, Any], layer: str) -> float | None:
    """Return alpha of a layer; None where it is not told in plain names."""
    patterns = config.get("alpha_pattern") or {}
    found: Any = config.get("lora_alpha")
    if not isinstance(patterns, dict):
        return None
    for pattern, alpha in reversed(patterns.items()):  # the first that matches counts
        plain = _PLAIN.fullmatch(pattern)
        if plain is None:  # a regular expression of a file may take forever
            return None
        if layer == plain[2] or (not plain[1] and layer.endswith(f".{plain[2]}")):
            found = alpha
    is_number = isinstance(found, int | float) and math.isfinite(found)
    return float(found) if is_number and not isinstance(found, bool) else None
