"""What adapters keep beside LoRA: copies of whole layers, and what is no weight matrix."""

import re
from collections.abc import Iterator

from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective_parts import Beside, Composed, Found

# First letters of what other methods add to a layer, and what they are called.
_OTHERS = {
    "ia3_l": "IA3",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "vera_": "VeRA",
    "pvera_": "PVeRA",
    "oft_": "OFT",
    "boft_": "BOFT",
    "fourierft_": "FourierFT",
    "delora_": "DeLoRA",
    "gralora_": "GraLoRA",
    "randlora_": "RandLoRA",
    "vblora_": "VB-LoRA",
    "lora_E": "AdaLoRA",
    "lora_mid": "LoRA of three factors",
    "dora_scale": "DoRA",
    "prompt_embeddings": "prompt tuning",
    "prefix_task_": "prompt tuning",
    "adaption_prompt": "adaption prompt",
    "trainable_tokens_delta": "trainable tokens",
}
_COPY = re.compile(r"(?:(.+)\.)?modules_to_save\.([^.]+)\.(.+)")


def adapter_weights(tensors: Tensors, beside: Beside) -> Found:
    """Find layers that an adapter trains as a whole, and name what other methods than LoRA add."""
    infos, skipped = tensors.infos, {}
    method = (beside("adapter_config.json") or {}).get("peft_type", "LORA")
    told = method if isinstance(method, str) and method.isidentifier() else "LORA"
    for name, info in infos.items():
        if len(info.shape) > 1 and (kind := _method_of(name, told)):
            skipped[name] = f"{kind} adapter: no weight matrix"
    return Found(tuple(_trained_copies(infos, skipped)), skipped)


def _method_of(name: str, told: str) -> str | None:
    """Return the method that adds a tensor; `told` is that of adapter_config.json."""
    parts = name.split(".")
    for start, method in _OTHERS.items():
        if any(part.startswith(start) for part in parts):
            return method
    return told if told != "LORA" and parts[-1] not in ("weight", "bias") else None


def _trained_copies(infos: Infos, skipped: dict[str, str]) -> Iterator[Composed]:
    """Yield tensors that an adapter trains as a copy; the original, not applied, is skipped."""
    found = [(name, match) for name in infos if (match := _COPY.fullmatch(name))]
    if len({match[2] for _, match in found}) != 1:
        return
    for name, match in found:
        start = f"{match[1]}." if match[1] else ""
        info, original = infos[name], f"{start}original_module.{match[3]}"
        if original in infos:
            skipped[original] = "replaced by the copy that an adapter trains"
        how = "the copy that an adapter trains"
        yield Composed(f"{start}{match[3]}", info.shape, how, (name,), _same, info.dtype)


def _same(tensor: Tensor) -> Tensor:
    return tensor
