"""What modules say of their weights: a live network, or one without data built from its config."""

from collections.abc import Iterator, Sequence

from torch import nn

from specflow.wiring.structure import Layer, Structure

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "heads")


def structure_of_module(module: nn.Module, source: str | None = None) -> Structure:
    """Return what a network's modules say of its weights.

    Args:
        module: The network, with or without data; not modified.
        source: What it is called in messages; None means its class.

    Example:
        >>> structure = structure_of_module(nn.Sequential(nn.Conv2d(8, 8, 3, groups=4)))
        >>> structure.layers["0.weight"]
        Layer(inputs_first=False, groups=4)
    """
    to_dict = getattr(getattr(module, "config", None), "to_dict", dict)
    return Structure(
        source=source or f"the module {type(module).__name__}",
        config=to_dict(),
        layers=dict(_layers(module)),
        heads=dict(_heads(module)),
        sequences=tuple(_sequences(module)),
        tied=_tied(module),
        gate_last=dict(_gates(module)),
    )


def _layers(module: nn.Module) -> Iterator[tuple[str, Layer]]:
    for path, one in module.named_modules():
        layer = _layer(one)
        if layer is not None:
            yield _name(path, "weight"), layer


def _layer(module: nn.Module) -> Layer | None:
    if isinstance(module, _CONVOLUTIONS):
        return Layer(groups=module.groups)
    if isinstance(module, _TRANSPOSED):
        return Layer(inputs_first=True, groups=module.groups)
    if isinstance(module, (nn.Linear, nn.Embedding)):
        return Layer()
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):  # of transformers
        return Layer(inputs_first=True)
    return None


def _heads(module: nn.Module) -> Iterator[tuple[str, int]]:
    """Yield the heads that a module has as a number, or that its rows and size of a head make."""
    for path, one in module.named_modules():
        found = (getattr(one, name, None) for name in _HEADS)
        count = next((n for n in found if isinstance(n, int) and n > 0), None)
        if count is None:
            count = _heads_by_size(one)
        if count is not None:
            yield path, count


def _heads_by_size(module: nn.Module) -> int | None:
    size = getattr(module, "head_dim", None)
    query = getattr(module, "q_proj", None)
    rows = getattr(query, "out_features", None)
    if isinstance(size, int) and isinstance(rows, int) and size > 0 and rows % size == 0:
        return rows // size
    return None


def _sequences(module: nn.Module) -> Iterator[Sequence[str]]:
    """Yield the weights of each `nn.Sequential` in order, up to where it holds more than layers."""
    for path, one in module.named_modules():
        if not isinstance(one, nn.Sequential):
            continue
        names: list[str] = []
        for name, child in one.named_children():
            if any(part != "parametrizations" for part, _ in child.named_children()):
                yield names
                names = []
            elif _layer(child) is not None:
                names.append(_name(f"{path}.{name}".lstrip("."), "weight"))
        yield names


def _tied(module: nn.Module) -> dict[str, str]:
    """Return parameters under a second name, with the first one."""
    first: dict[int, str] = {}
    found: dict[str, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        other = first.setdefault(id(parameter), name)
        if other != name:
            found[name] = other
    return found


def _gates(module: nn.Module) -> Iterator[tuple[str, bool]]:
    """Yield whether an MLP with a gate has it in its second half, where it says so (timm)."""
    for path, one in module.named_modules():
        last = getattr(one, "gate_last", None)
        if isinstance(last, bool):
            yield path, last


def _name(path: str, last: str) -> str:
    return f"{path}.{last}".lstrip(".")
