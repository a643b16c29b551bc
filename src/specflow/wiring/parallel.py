"""Parallel blocks: whether the MLP reads what the attention reads, or what that writes."""

import re
from collections import Counter
from collections.abc import Mapping

from specflow.wiring.orientation import is_norm
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo

_KEYS = ("use_parallel_residual", "parallel_attn")
_OF_NEOX = {"attention.query_key_value.weight", "mlp.dense_h_to_4h.weight"}
_OF_GPT_J = {"attn.q_proj.weight", "mlp.fc_in.weight"}
_OF_PHI = {"self_attn.dense.weight", "mlp.fc1.weight"}
_MODELS = ("cohere", "cohere2", "codegen", "falcon", "gptj", "phi")
_SECOND = re.compile(r"mlp|ffn|ff_|feed_forward|post|final|2")


def is_parallel(
    stack: str, tensors: Mapping[str, TensorInfo], structure: Structure
) -> tuple[bool | None, list[str]]:
    """Return whether the blocks of a stack are parallel, and what had to be taken for granted.

    Their config tells. Else blocks with a single norm are parallel (GPT-J, Phi, Falcon) if its name
    does not say that it is the second one, or with one for each (Falcon's `ln_attn`); GPT-NeoX is
    by default. One lone block, if not named as of GPT-J or Phi, may lack a norm: None.

    Args:
        stack: What stands before the numbers of its blocks.
        tensors: Shape and dtype of every tensor by name.
        structure: What else is known of the network.
    """
    for key in _KEYS:
        told = structure.says(key, stack)
        if isinstance(told, bool):
            return told, []
    inside = [n.removeprefix(stack).split(".", 1) for n in tensors if n.startswith(stack)]
    names = {parts[1] for parts in inside if len(parts) == 2}
    model = str(structure.says("model_type", stack) or "")
    japanese = model == "gpt_neox_japanese" or "attention.dense_bias" in names
    if names >= _OF_NEOX and not japanese and model in ("", "gpt_neox"):
        return True, [
            "attention and MLP are taken as parallel, as GPT-NeoX has them by default "
            "(no config.json says use_parallel_residual)"
        ]
    if any(name.startswith("ln_attn.") for name in names):
        return True, []
    norms = [parts for parts in inside if len(parts) == 2 and is_norm(parts[1])]
    counts = Counter(index for index, _ in norms)
    if max(counts.values(), default=0) > 1 or any(_SECOND.search(name) for _, name in norms):
        return False, []
    if names >= _OF_GPT_J or names >= _OF_PHI:
        return True, []
    if len({parts[0] for parts in inside if parts[0].isdecimal()}) == 1 and model not in _MODELS:
        return None, [
            "one block without two norms: what passes between attention and MLP is not known"
        ]
    return bool(counts), []
