"""What adapters keep beside LoRA: copies of whole layers, and what is no weight matrix."""

import re
from collections.abc import Iterator

from specflow.checkpoints.base import Infos, Tensors
from specflow.checkpoints.effective.parts import Beside, Composed, Found, as_it_is
from specflow.wiring.reasons import ADAPTER

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
    "trainable_tokens_delta": "trainable tokens",
}
_PROMPTS = {  # what is added to what a network reads, and to no layer
    "prompt_embeddings": "prompt tuning",
    "prefix_task_": "prompt tuning",
    "adaption_prompt": "adaption prompt",
}
_COPY = re.compile(r"(?:(.+)\.)?modules_to_save\.([^.]+)\.(.+)")


def adapter_weights(tensors: Tensors, beside: Beside) -> Found:
    """Find layers that an adapter trains as a whole, and name what other methods than LoRA add."""
    infos, skipped = tensors.infos, dict[str, str]()
    method = (beside("adapter_config.json") or {}).get("peft_type", "LORA")
    known = _OTHERS | _PROMPTS
    if isinstance(method, str) and method.isidentifier() and method != "LORA":
        known.setdefault(f"{method.lower()}_", method)
    starts = re.compile(rf"(?:^|\.)({'|'.join(known)})")
    for name, info in infos.items():
        if len(info.shape) > 1 and (match := starts.search(name)):
            kind = "of no layer" if match[1] in _PROMPTS else ADAPTER
            skipped[name] = f"{known[match[1]]} {kind}"
    return Found(tuple(_trained_copies(infos, skipped)), skipped)


def _trained_copies(infos: Infos, skipped: dict[str, str]) -> Iterator[Composed]:
    """Yield tensors that an adapter trains as a copy; the original, not applied, is skipped."""
    kept = (name for name in infos if "modules_to_save." in name)
    found = [(name, match) for name in kept if (match := _COPY.fullmatch(name))]
    if len({match[2] for _, match in found}) != 1:
        return
    for name, match in found:
        start = f"{match[1]}." if match[1] else ""
        info, original = infos[name], f"{start}original_module.{match[3]}"
        if original in infos:
            skipped[original] = "replaced by the copy that an adapter trains"
        how = "the copy that an adapter trains"
        yield Composed(f"{start}{match[3]}", info.shape, how, (name,), as_it_is, info.dtype)
