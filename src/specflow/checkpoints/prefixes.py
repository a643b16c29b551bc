"""Names of one network that begin differently: a model alone, and the same within a larger one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate

from specflow.checkpoints.base import Infos

_MOST = 20  # prefixes that are tried
_DEEPEST = 2  # parts of a name that a prefix has at most: "model.text_model."


def prefixes_between(a: Infos, b: Infos) -> tuple[str, str]:
    """Return what names of A begin with that those of B do not, and the other way round.

    That is the one prefix by which most tensors of one shape have one name; both are empty where
    none makes more of them equal, and one of the two always is.

    >>> import torch
    >>> from specflow.wiring.tensors import TensorInfo
    >>> info = TensorInfo((3, 2), torch.float32)
    >>> prefixes_between({"bert.a": info, "head": info}, {"a": info, "head": info})
    ('bert.', '')
    """
    best, most = ("", ""), _matches(a, b, ("", ""))
    candidates = [(prefix, "") for prefix in _prefixes(a)]
    candidates += [("", prefix) for prefix in _prefixes(b)]
    for prefixes in candidates:
        count = _matches(a, b, prefixes)
        if count > most:
            best, most = prefixes, count
    return best


def renamed(
    names: Iterable[str], known: Iterable[str], prefixes: tuple[str, str]
) -> dict[str, str]:
    """Return names of B as A calls them, by the name given.

    Args:
        names: Those of B.
        known: Those of A.
        prefixes: As `prefixes_between` returns them.
    """
    of_a, of_b = prefixes
    given, there = list(names), set(known)
    found = {}
    for name in given:
        other = of_a + name.removeprefix(of_b)
        found[name] = other if name not in there and other in there else name
    return found if len(set(found.values())) == len(given) else {name: name for name in given}


def _matches(a: Infos, b: Infos, prefixes: tuple[str, str]) -> int:
    """Return how many tensors have one name and shape."""
    shapes: Mapping[str, tuple[int, ...]] = {name: info.shape for name, info in a.items()}
    names = renamed(b, shapes, prefixes)
    return sum(shapes.get(names[name]) == info.shape for name, info in b.items())


def _prefixes(names: Iterable[str]) -> list[str]:
    """Return the most frequent ways in which names begin."""
    found: Counter[str] = Counter()
    for name in names:
        parts = [f"{part}." for part in name.split(".")[:-1]]
        found.update(accumulate(parts[:_DEEPEST]))
    return [prefix for prefix, _ in found.most_common(_MOST)]
