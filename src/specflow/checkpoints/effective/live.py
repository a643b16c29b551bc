"""What modules of a live network say that they apply in evaluation; nothing in them changes."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm, _WeightNorm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from specflow.checkpoints.base import Infos
from specflow.checkpoints.effective.alpha import Adapter, Adapters
from specflow.checkpoints.effective.parts import Composed, Found
from specflow.checkpoints.wrappers import unwrapped

_FACTOR = ".lora_A"
_PARTS_OF_HOOKS = ("_g", "_v", "_orig", "_u")


def applied_by(module: nn.Module, infos: Infos) -> Found:
    """Find the parameters that modules compute: parametrizations of any kind, and old hooks.

    They are computed as in evaluation, by copies of what computes them: no buffer is updated (the
    power iteration of spectral norm), and training modules stay in training. Norms are computed in
    float64, as they are of files; what else may be there, in the dtype of the module.

    Args:
        module: The network.
        infos: Shape and dtype of the tensors of its state dict.
    """
    composed: list[Composed] = []
    skipped: dict[str, str] = {}
    for name, parts, compute in _computed(module, infos):
        if not parts:
            continue
        try:
            value = _made(compute)
        except Exception as error:  # a parametrization is anyone's code
            reason = f"its parametrization cannot be computed ({type(error).__name__})"
            skipped |= dict.fromkeys(parts, reason)
            continue
        shape, how = tuple(value.shape), "computed by its module"
        made = partial(_made, compute)
        composed.append(Composed(name, shape, how, (), made, value.dtype, tuple(parts)))
    return Found(tuple(composed), skipped)


def adapters_of(module: nn.Module) -> Adapters | None:
    """Return what layers with LoRA (of peft) know of it; None without any."""
    found: dict[str, Any] = {
        f"{name}{_FACTOR}": layer
        for name, layer in module.named_modules(remove_duplicate=False)
        if hasattr(layer, "lora_A") and hasattr(layer, "scaling")
    }
    layers = {name.removesuffix(_FACTOR): found[given] for given, name in unwrapped(found).items()}

    def adapter(layer: str, name: str, rank: int) -> Adapter:
        known = layers.get(layer)
        if known is None or name not in known.scaling:
            return Adapter(None)
        active = name in known.active_adapters and not known.disable_adapters
        is_added = active and name not in known.merged_adapters
        inputs_first = bool(getattr(known, "fan_in_fan_out", False))
        experts = int(getattr(known, "num_experts", 1))
        return Adapter(float(known.scaling[name]), is_added, experts, inputs_first)

    return adapter if layers else None


def _computed(
    module: nn.Module, infos: Infos
) -> Iterator[tuple[str, list[str], Callable[[], Tensor]]]:
    """Yield names of parameters that are computed, what they are computed of, and how."""
    for name, layer in module.named_modules(remove_duplicate=False):
        start = f"{name}." if name else ""
        if parametrize.is_parametrized(layer):
            lists: Any = layer.parametrizations
            for parameter, steps in lists.items():
                inside = f"{start}parametrizations.{parameter}."
                parts = [one for one in infos if one.startswith(inside)]
                yield f"{start}{parameter}", parts, partial(_evaluated, steps)
        for hook in layer._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm | SpectralNorm):
                kept = (f"{start}{hook.name}{end}" for end in _PARTS_OF_HOOKS)
                parts = [one for one in kept if one in infos]
                yield f"{start}{hook.name}", parts, partial(_normed, hook, layer)


def _evaluated(steps: nn.Module) -> Tensor:
    """Return what a list of parametrizations computes; it may be training, and update buffers."""
    own = copy.deepcopy(steps).eval()
    is_norm = all(isinstance(step, _WeightNorm | _SpectralNorm) for step in own.children())
    return (own.double() if is_norm else own)()


def _normed(hook: WeightNorm | SpectralNorm, layer: nn.Module) -> Tensor:
    """Return what a hook computes, in float64."""
    names = (f"{hook.name}{end}" for end in _PARTS_OF_HOOKS)
    parts = {name: getattr(layer, name).double() for name in names if hasattr(layer, name)}
    kept: Any = SimpleNamespace(**parts)  # which has what the hook reads of a module
    power = {"do_power_iteration": False} if isinstance(hook, SpectralNorm) else {}
    return hook.compute_weight(kept, **power)


def _made(compute: Callable[[], Tensor]) -> Tensor:
    with torch.no_grad():
        return compute().detach().to("cpu", copy=True)
