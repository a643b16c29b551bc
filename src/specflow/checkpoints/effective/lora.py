"""LoRA: of its two factors the matrix that they are, and the weight with it."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective.alpha import Adapter, Adapters, adapter_in_files
from specflow.checkpoints.effective.parts import Beside, Composed, Found, as_it_is
from specflow.wiring.reasons import LORA

# Ends of the names of A, and of B where A is found.
_ENDS = {
    "lora_A": "lora_B",
    "lora_a": "lora_b",
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
_NESTED = re.compile(r"(?:\.base_layer)+$")  # adapters of several parameters of one layer
_UNKNOWN = "as alpha is not known"
_THIRD = ("lora_E", "lora_mid", "dora_scale")  # with a third factor, B A is not what is added


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


@dataclass(frozen=True)
class _Product:
    """s B A of an adapter, as it would lie in the weight of its kind of layer."""

    lora: _Lora
    told: Adapter
    shape: tuple[int, ...]

    def of(self, a: Tensor, b: Tensor) -> Tensor:
        """Return B A in float64, of stacked experts one after the other."""
        a, b, experts = a.double(), b.double(), self.told.experts or 1
        if experts > 1:  # as peft stacks them
            a, b = a.unflatten(0, (experts, -1)), b.unflatten(1, (-1, experts)).permute(2, 0, 1)
            return b @ a
        product = b.flatten(1) @ a.flatten(1)
        return product.T if self.lora.is_embedding else product.reshape(self.shape)


def lora_weights(tensors: Tensors, beside: Beside, adapters: Adapters | None = None) -> Found:
    """Find what LoRA makes: `X.lora`, that is s B A, and `X.weight`, that is W + s B A.

    With several adapters, those of a layer are `X.lora.<adapter>`. The second needs a weight and a
    scale s = alpha / r (Hu et al. 2021, https://arxiv.org/abs/2106.09685), or alpha / sqrt(r)
    (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732); with magnitudes m it is
    m (W + s B A) / ||W + s B A||, by output (Liu et al. 2024, https://arxiv.org/abs/2402.09353).
    Stacked experts have a product each.

    Args:
        tensors: The tensors of a step.
        beside: Reads adapter_config.json, for alpha.
        adapters: What a live network knows of them; None takes it from files.
    """
    infos = tensors.infos
    skipped, composed = dict[str, str](), list[Composed]()
    loras, layers = list(_loras(infos)), dict[str, list[_Product]]()
    several = len({lora.adapter for lora in loras}) > 1
    known = adapters or partial(adapter_in_files, tensors, (lambda _: None) if several else beside)
    for lora in loras:
        one = _product(lora, infos, known)
        if isinstance(one, str):
            skipped |= dict.fromkeys((lora.a, lora.b), one)
        else:
            composed.append(_alone(one, several))
            layers.setdefault(lora.layer, []).append(one)
    stacked = _stacked(infos) if layers else {}
    for products in layers.values():
        composed += _added(products, infos, stacked)
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


def _product(lora: _Lora, infos: Infos, adapters: Adapters) -> _Product | str:
    """Return what two factors make, or why they make no matrix."""
    a, b = infos[lora.a].shape, infos[lora.b].shape
    if lora.third:
        return f"{LORA} with a third factor: B A is not what is added"
    if lora.a.endswith("lora_a"):
        return f"{LORA} whose factors lie transposed (MLX); expected those of PyTorch"
    if len(a) < 2 or len(b) < 2 or a[0] != b[1] or not a[0] or any(size != 1 for size in b[2:]):
        return f"{LORA} of groups or of no rank, no product B A: shape ({a}, {b})"
    told = adapters(lora.layer, lora.adapter, a[0])
    if told.experts is None or a[0] % told.experts or (told.experts > 1 and len(a) > 2):
        return f"{LORA} of experts whose number is not known"
    shape = (b[0], *a[1:]) if not lora.is_embedding else (*a[1:], b[0])
    shape = (told.experts, *shape) if told.experts > 1 else shape
    if math.prod(shape) > _MOST_ENTRIES:
        return f"{LORA} whose product has more than {_MOST_ENTRIES} entries"
    return _Product(lora, told, shape)


def _alone(product: _Product, several: bool) -> Composed:
    lora, scale = product.lora, product.told.scale
    end = f"lora.{lora.adapter}" if several and lora.adapter else "lora"

    def make(a: Tensor, b: Tensor) -> Tensor:
        return product.of(a, b).mul_(1.0 if scale is None else scale)

    unknown = f"LoRA: B A without its scale, {_UNKNOWN}"
    how = unknown if scale is None else f"LoRA: {scale:g} B A"
    gone = (lora.magnitude,) if lora.magnitude else ()
    return Composed(lora.named(end), product.shape, how, (lora.a, lora.b), make, gone=gone)


def _stacked(infos: Infos) -> Mapping[str, Sequence[str]]:
    """Return the names of stacked matrices by the layer that they are parameters of."""
    found: dict[str, list[str]] = {}
    for name, info in infos.items():
        if len(info.shape) == 3:
            found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def _base(product: _Product, infos: Infos, stacked: Mapping[str, Sequence[str]]) -> str | None:
    """Return the name of the weight that a product is added to, the one that it fits."""
    lora, shape = product.lora, product.shape
    lying = [shape, (*shape[:-2], shape[-1], shape[-2])]
    if (product.told.experts or 1) > 1:
        owner = _NESTED.sub("", lora.layer)
        fitting = [name for name in stacked.get(owner, ()) if infos[name].shape in lying]
        return fitting[0] if len(fitting) == 1 and shape[-1] != shape[-2] else None
    named = [name for end in _BASES if (name := lora.named(end)) in infos]
    lying = lying if len(shape) == 2 else [shape]
    return next((name for name in named if infos[name].shape in lying), None)


def _added(
    products: Sequence[_Product], infos: Infos, stacked: Mapping[str, Sequence[str]]
) -> list[Composed]:
    """Return the weight of a layer with what adapters add, or as it is if that is not known."""
    first, added = products[0], [product for product in products if product.told.is_added]
    base, magnitudes = _base(first, infos, stacked), _magnitudes(added)
    scales = [one.told.scale for one in added if one.told.scale is not None]
    if base is None or not added:
        return []
    shape, several = infos[base].shape, "as the magnitudes of DoRA are of several adapters"
    if why := _UNKNOWN if len(scales) < len(added) else magnitudes and len(added) > 1 and several:
        how = f"LoRA: W as it is, without B A, {why}"
        return [Composed(base, shape, how, (base,), as_it_is, infos[base].dtype)]
    is_square = len(shape) == 2 and shape[0] == shape[1]
    inputs_first = first.told.inputs_first if is_square else shape != first.shape
    inputs_first = inputs_first and not first.lora.is_embedding

    def make(weight: Tensor, *factors: Tensor) -> Tensor:
        weight = weight.double()
        for place, (one, scale) in enumerate(zip(added, scales, strict=True)):
            product = one.of(factors[2 * place], factors[2 * place + 1])
            weight.add_(product.mT if inputs_first else product, alpha=scale)
        if magnitudes:
            outputs = 1 if inputs_first or first.lora.is_embedding else 0
            weight = _with_norms(weight, factors[-1].double(), outputs)
        return weight

    parts = [base, *(name for one in added for name in (one.lora.a, one.lora.b)), *magnitudes]
    how = "W" + "".join(f" + {scale:g} B A" for scale in scales)
    how = f"m ({how}) / ||{how}|| (DoRA)" if magnitudes else how
    return [Composed(base, shape, f"LoRA: {how}", tuple(parts), make)]


def _magnitudes(products: Iterable[_Product]) -> list[str]:
    return [one.lora.magnitude for one in products if one.lora.magnitude]


def _with_norms(weight: Tensor, norms: Tensor, outputs: int) -> Tensor:
    others = [axis for axis in range(weight.ndim) if axis != outputs]
    now = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    return weight.mul_(norms.reshape(now.shape) / now)
