"""Parallel blocks: whether the MLP reads what the attention reads, or what that writes."""

from collections import Counter
from collections.abc import Mapping

from specflow.wiring.orientation import is_norm
from specflow.wiring.structure import Structure
from specflow.wiring.tensors import TensorInfo

_KEYS = ("use_parallel_residual", "parallel_attn")
_OF_NEOX = {"attention.query_key_value.weight", "mlp.dense_h_to_4h.weight"}


def is_parallel(
    stack: str, tensors: Mapping[str, TensorInfo], structure: Structure
) -> tuple[bool, list[str]]:
    """Return whether the blocks of a stack are parallel, and what had to be taken for granted.

    Their config tells. Else blocks with a single norm are parallel (GPT-J, Phi, Falcon), or with
    one for each (Falcon's `ln_attn`); GPT-NeoX has two either way, and is parallel by default.

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
    model = str(structure.says("model_type", stack) or "gpt_neox")
    if names >= _OF_NEOX and model.startswith("gpt_neox"):
        return True, [
            "attention and MLP are taken as parallel, as GPT-NeoX has them by default "
            "(no config.json says use_parallel_residual)"
        ]
    if any(name.startswith("ln_attn.") for name in names):
        return True, []
    norms = Counter(parts[0] for parts in inside if len(parts) == 2 and is_norm(parts[1]))
    return set(norms.values()) == {1}, []
