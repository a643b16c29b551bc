"""Weights that a layer keeps in parts: weight norm, spectral norm, masks of pruning.

Old hooks keep them beside each other (`weight_g`, `weight_v`), parametrizations in a list of their
own (`parametrizations.weight.original0`). What another parametrization computes, its file does not
tell.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import itemgetter

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective.parts import Beside, Composed, Found, as_it_is

_LISTED = re.compile(r"((?:[^.]+\.)*?)parametrizations\.([^.]+)\.(.+)")
# Along which dimension the outputs of a square weight lie, the vectors tell: u is W v normed, or v
# is W^T u, so they agree fully; along another one as vectors at random, by 1 / sqrt(n). Before any
# step all are at random, and outputs come first as in all layers but transposed convolutions.
_TOLD = 0.5
_UNKNOWN = (
    "a part of a parametrization that the file does not tell; expected the live module "
    "(specflow.analyze(model)), or weights without it (remove_parametrizations)"
)


def normed_weights(tensors: Tensors, beside: Beside) -> Found:
    """Find weights that are normed or masked when their layer applies them.

    * Weight norm: g v / ||v||, norms over all dimensions but that along which g lies
      (Salimans & Kingma 2016, https://arxiv.org/abs/1602.07868).
    * Spectral norm: W / (u^T W v) with the vectors that are kept, as in evaluation
      (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).
    * Pruning (torch.nn.utils.prune): W times its mask.
    """
    composed = list(_of_hooks(tensors.infos))
    skipped: dict[str, str] = {}
    for name, parts in _listed(tensors.infos).items():
        one = _of_list(name, parts, tensors.infos)
        if one is None:
            skipped |= dict.fromkeys(parts.values(), _UNKNOWN)
        else:
            composed.append(one)
    return Found(tuple(composed), skipped)


def _is_weight_norm(magnitude: tuple[int, ...], direction: tuple[int, ...]) -> bool:
    """Return whether shapes are those of g and v: g is as long as v along one dimension, else 1."""
    if len(direction) < 2:
        return False
    if math.prod(magnitude) == 1:
        return len(magnitude) in (0, 1, len(direction))
    longer = [axis for axis, length in enumerate(magnitude) if length > 1]
    same_rank = len(magnitude) == len(direction)
    return same_rank and len(longer) == 1 and magnitude[longer[0]] == direction[longer[0]]


def _of_hooks(infos: Infos) -> Iterator[Composed]:
    for name in infos:
        stem, end = name[:-2], name[-2:]
        if end == "_v" and f"{stem}_g" in infos and _is_told(stem, f"{stem}_g", infos):
            one = _weight_norm(stem, f"{stem}_g", name, infos)
        elif end == "_v" and {f"{stem}_orig", f"{stem}_u"} <= infos.keys():
            one = _spectral_norm(stem, (f"{stem}_orig", f"{stem}_u", name), infos)
        elif end == "_u" and f"{stem}_v" not in infos and {stem, f"{stem}_orig"} <= infos.keys():
            one = _kept_beside(stem, (f"{stem}_orig", name), infos)
        elif name.endswith("_mask") and f"{name[:-5]}_orig" in infos:
            one = _pruned(name[:-5], f"{name[:-5]}_orig", name, infos)
        else:
            one = None
        if one is not None:
            yield one


def _is_told(stem: str, magnitude: str, infos: Infos) -> bool:
    """Return whether a name or a shape tells more than that two names look alike."""
    return "weight" in stem.rsplit(".", 1)[-1] or len(infos[magnitude].shape) > 1


def _listed(infos: Infos) -> dict[str, dict[str, str]]:
    """Return the names of the parts of each parametrized tensor, by what they are in its list."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in infos:
        if "parametrizations." in name and (match := _LISTED.fullmatch(name)):
            found[match[1] + match[2]][match[3]] = name
    return found


def _of_list(name: str, parts: Mapping[str, str], infos: Infos) -> Composed | None:
    if parts.keys() == {"original0", "original1"}:
        return _weight_norm(name, parts["original0"], parts["original1"], infos)
    if parts.keys() == {"original", "0._u", "0._v"}:
        return _spectral_norm(name, (parts["original"], parts["0._u"], parts["0._v"]), infos)
    return None


def _weight_norm(name: str, magnitude: str, direction: str, infos: Infos) -> Composed | None:
    shape, given = infos[direction].shape, infos[magnitude].shape
    if not _is_weight_norm(given, shape):
        return None
    reduced = tuple(axis for axis in range(len(shape)) if math.prod(given) == 1 or given[axis] == 1)

    def make(g: Tensor, v: Tensor) -> Tensor:
        v = v.double()
        norms = torch.linalg.vector_norm(v, dim=reduced, keepdim=True)
        return v.mul_(g.double().reshape(given if len(given) == len(shape) else ()) / norms)

    return Composed(name, shape, "weight norm", (magnitude, direction), make)


def _spectral_norm(name: str, parts: tuple[str, str, str], infos: Infos) -> Composed | None:
    shape, left, right = (infos[part].shape for part in parts)
    axes = [
        axis
        for axis, length in enumerate(shape)
        if left == (length,) and right == (math.prod(shape) // max(length, 1),)
    ]
    if len(shape) < 2 or not axes:
        return None

    def make(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        weight, u, v = weight.double(), u.double(), v.double()
        seen = [_sigma(weight.movedim(axis, 0).flatten(1), u, v) for axis in axes]
        told = [(agreement, sigma) for agreement, sigma in seen if agreement > _TOLD]
        return weight.div_(max(told, key=itemgetter(0))[1] if told else seen[0][1])

    return Composed(name, shape, "spectral norm", parts, make)


def _sigma(matrix: Tensor, u: Tensor, v: Tensor) -> tuple[float, float]:
    """Return how well vectors agree with a step of power iteration, in [0, 1], and u^T W v."""
    right, left = matrix @ v, matrix.T @ u
    sigma = float(u @ right)
    norms = float(u.norm() * right.norm()), float(v.norm() * left.norm())
    return max((abs(sigma) / norm for norm in norms if norm > 0), default=0.0), sigma


def _kept_beside(name: str, parts: tuple[str, str], infos: Infos) -> Composed | None:
    """Return a normed weight as torch kept it before 1.1: beside what it is made of."""
    if infos[name].shape != infos[parts[0]].shape or len(infos[parts[1]].shape) != 1:
        return None
    how, dtype = "spectral norm, kept as applied", infos[name].dtype
    return Composed(name, infos[name].shape, how, (name,), as_it_is, dtype, gone=parts)


def _pruned(name: str, weight: str, mask: str, infos: Infos) -> Composed | None:
    if infos[weight].shape != infos[mask].shape:
        return None
    return Composed(name, infos[weight].shape, "pruned: W times its mask", (weight, mask), _masked)


def _masked(weight: Tensor, mask: Tensor) -> Tensor:
    return weight.double().mul_(mask)
