"""Where the weights are in what was saved: state dicts within anything, in a file or in memory.

A tensor is one of torch, or one that lies in a file (`Stored`); a module is a live one, or one that
a pickle names (`Inert`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specflow.checkpoints.pickles import Global, Inert
from specflow.checkpoints.torch_pickles import Stored
from specflow.errors import SpecflowError, shown, some_of
from specflow.wiring.names import MAX_LENGTH

USUAL_KEYS = (
    *("state_dict", "model_state_dict", "model", "module", "net", "network", "weights"),
    *("params", "model_state"),
)
QUANTIZED_DTYPES = (torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4)
NOT_DENSE = "sparse or without data: no dense tensor"
_ELSEWHERE = "tensors under another key, which --key reads in place of these"
_EXPECTED = "expected a dict of tensors"
_PACKED = "_packed_params"  # what a layer that torch quantized keeps as a tuple: weight and bias
_SCRIPT = Global("torch", "ScriptObject")
_MOST_PARTS = 10**5  # dicts or modules, within each other
_MOST_PACKED = 1000  # tuples, lists and objects in an entry; a layer that torch packs has some 20


def weights_in(
    content: Any, key: str | None, place: str | Path
) -> tuple[Mapping[Any, Any], Mapping[str, str]]:
    """Return the state dict of what was saved, at a key or where it usually is.

    Args:
        content: What was saved.
        key: Where the weights are, with dots; None finds them.
        place: Where it lies, for messages.

    Returns:
        The state dict, and why tensors beside it are not read, by their key.

    Raises:
        SpecflowError: If there is none, or several.
        ValueError: If it is nested without end.
    """
    if key is not None:
        return _at_key(content, key, place), {}
    entries = entries_of(content)
    if entries is None:
        raise SpecflowError(f"{place}: got {_shown(content)}; {_EXPECTED}")
    if is_module(content):
        return state_in(content) or {}, {}
    found = {key: state_in(entries.get(key)) for key in USUAL_KEYS}
    usual = [key for key, state in found.items() if state is not None]
    if len(usual) == 1:
        return found[usual[0]] or {}, dict(_beside(usual[0], entries))
    if holds_tensors(content) and not any(map(holds_tensors, entries.values())):
        return entries, {}  # beside tensors, entries such as an epoch
    if {"state", "param_groups"} <= entries.keys():
        raise SpecflowError(
            f"{place}: the state of an optimizer; expected the weights that lie beside it"
        )
    holding = {key: value for key, value in entries.items() if state_in(value) is not None}
    if not holding:
        raise SpecflowError(f"{place}: got {_shown(content)}, no tensor in it; {_EXPECTED}")
    said = f"weights under {usual}" if usual else "no weights under a usual key"
    raise SpecflowError(f"{place}: {said}; expected `key` (--key) to be one of {_shown(holding)}")


def _at_key(content: Any, key: str, place: str | Path) -> Mapping[Any, Any]:
    problem, found = f"{place}: key {key!r}", content
    for part in key.split("."):
        entries = entries_of(found)
        if entries is None or part not in entries:
            raise SpecflowError(f"{problem}: there is no {part!r}, but {_shown(found)}")
        found = entries[part]
    state = state_in(found)
    if state is None:
        raise SpecflowError(f"{problem}: got {_shown(found)}; {_EXPECTED}")
    return state


def state_in(value: Any) -> Mapping[Any, Any] | None:
    """Return the state dict that a value is or holds; None if it holds no tensor.

    That is a dict of tensors, with any entries beside them; the parameters and buffers of a
    pickled module; or, of dicts within dicts, their tensors by names with dots.

    Raises:
        ValueError: If it is nested without end.
    """
    entries = entries_of(value)
    if entries is None or holds_tensors(value):
        return entries
    found: dict[Any, Any] = {}
    waiting = [("", value)]
    for visited in range(_MOST_PARTS):
        if not waiting:
            return found if holds_tensors(found) else None
        prefix, part = waiting.pop()
        if visited and len(prefix) > MAX_LENGTH:
            break
        inner = []
        for name, entry in _parts_of(part).items():
            if entries_of(entry) is None:
                found[f"{prefix}{name}"] = entry
            else:
                inner.append((f"{prefix}{name}.", entry))
        waiting += reversed(inner)
    raise ValueError("dicts or modules within each other without end")


def holds_tensors(value: Any) -> bool:
    """Return whether a value is a dict with tensors in it."""
    entries = None if is_module(value) else entries_of(value)
    return entries is not None and any(_is_tensor(entry) for _, entry in unrolled(entries))


def entries_of(value: Any) -> Mapping[Any, Any] | None:
    """Return the entries of a dict of any class, or the fields of a module; None of all else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, nn.Module):
        return value.state_dict()
    if not isinstance(value, Inert):
        return None
    return value.state if is_module(value) else value.entries or None


def is_module(value: Any) -> bool:
    """Return whether a value is a pickled module."""
    state = value.state if isinstance(value, Inert) else None
    return isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys()


def _parts_of(value: Any) -> Mapping[Any, Any]:
    """Return what a dict or module holds by name; of a module, what its state dict does."""
    if not is_module(value):
        return entries_of(value) or {}
    fields = value.state
    passing = fields.get("_non_persistent_buffers_set")
    left_out = passing if isinstance(passing, list) else []
    groups = [entries_of(fields.get(group)) for group in ("_parameters", "_buffers", "_modules")]
    entries = {name: part for group in groups for name, part in (group or {}).items()}
    entries |= {n: part for n, part in fields.items() if _is_script(part)}
    return {n: part for n, part in entries.items() if part is not None and n not in left_out}


def unrolled(state: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the entries of a state dict; of what torch packs for a quantized layer, each tensor.

    These have the name of what they lie in, and a number.
    """
    for name, value in state.items():
        inner = [] if _is_tensor(value) else _tensors_within(value)
        is_packed = isinstance(name, str) and name.rpartition(".")[2] == _PACKED
        if inner and (is_packed or any(_dtype_of(tensor) in QUANTIZED_DTYPES for tensor in inner)):
            for number, tensor in enumerate(inner):
                yield f"{name}.{number}", tensor
        else:
            yield name, value


def no_tensor(value: Any) -> str:
    """Return why an entry of a state dict is no dense tensor."""
    kind = _kind(value)
    return NOT_DENSE if kind.startswith("torch._utils._rebuild") else f"of type {kind}: no tensor"


def _tensors_within(value: Any) -> list[Any]:
    """Return the tensors in tuples, lists, and what objects say of their state as one of these."""
    found, waiting = [], [value]
    for _ in range(_MOST_PACKED):
        if not waiting:
            break
        part = waiting.pop()
        if _is_tensor(part):
            found.append(part)
        elif isinstance(part, torch.ScriptObject):
            waiting.append(part.__getstate__())
        elif isinstance(part, Inert):
            waiting.append(part.state)
        elif isinstance(part, tuple | list) and len(part) < _MOST_PACKED:
            waiting += reversed(part)
    return found


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor | Stored)


def _is_script(value: Any) -> bool:
    """Return whether a value is an object of TorchScript that a pickle names: packed weights."""
    return isinstance(value, Inert) and value.kind == _SCRIPT


def _dtype_of(tensor: Any) -> torch.dtype:
    return tensor.info.dtype if isinstance(tensor, Stored) else tensor.dtype


def _beside(usual: str, entries: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield what lies beside the weights and is not read: tensors, and what holds some."""
    for key, value in entries.items():
        if key == usual or not isinstance(key, str):
            continue
        if _is_tensor(value):
            yield f"{key} (beside {usual})", "a tensor that is none of the weights"
        elif _has_some(value):
            yield f"{key}.*", _ELSEWHERE


def _has_some(value: Any) -> bool:
    """Return whether an entry beside the weights holds tensors, or a dict of some: an average."""
    return holds_tensors(value) or any(map(holds_tensors, (entries_of(value) or {}).values()))


def _kind(value: Any) -> str:
    """Return what kind of thing a value is, in words of who saved it."""
    if _is_tensor(value):
        return "tensor"
    if isinstance(value, Global):
        return "name"
    kind = value.kind if isinstance(value, Inert) else type(value).__name__
    return str(kind)[:100] if isinstance(kind, str | Global) else "call of no function"


def _shown(value: Any) -> str:
    """Return the keys of a dict, or the kind of anything else, for a message."""
    entries = entries_of(value)
    if entries is None or is_module(value):
        return f"something of type {_kind(value)}"
    return f"[{some_of(map(_key_shown, entries), 20)}]" if entries else "an empty dict"


def _key_shown(key: Any) -> str:
    return key if isinstance(key, str) and len(key) <= 100 else shown(key)
