"""Rows of a step as a few long tensors: many thousand short ones take minutes to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_TENSOR = 1024  # bytes that a tensor takes beside its entries, about

Row = dict[str, Tensor]


def packed(rows: Iterable[Row]) -> dict[str, Any]:
    """Return the entries of each key, those of all rows after each other, and what they are of.

    >>> kept = packed([{"a": torch.ones(2, 3)}, {"a": torch.zeros(1, 3), "b": torch.ones(())}])
    >>> [row["a"].shape for row in unpacked(kept)]
    [torch.Size([2, 3]), torch.Size([1, 3])]
    """
    parts: dict[str, list[tuple[int, Tensor]]] = {}
    count = 0
    for count, row in enumerate(rows, 1):
        for key, value in row.items():
            parts.setdefault(f"{key} {value.ndim} {value.dtype}", []).append((count - 1, value))
    joined = {
        kind: {
            "rows": torch.tensor([place for place, _ in part]),
            "shapes": torch.tensor([value.shape for _, value in part]),
            "entries": torch.cat([value.reshape(-1) for _, value in part]),
        }
        for kind, part in parts.items()
    }
    return {"count": count, "parts": joined}


def sizes_of(kept: Mapping[str, Any]) -> list[int]:
    """Return the bytes that each row takes in memory, of those that were `packed`."""
    sizes = torch.zeros(kept["count"], dtype=torch.int64)
    for part in kept["parts"].values():
        lengths = part["shapes"].long().prod(1)
        sizes.index_add_(0, part["rows"], _TENSOR + lengths * part["entries"].element_size())
    return sizes.tolist()


def over_time(kept: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows of T steps that were `packed`, alike in all of them, shape (T, ...) each."""
    rows: list[Row] = [{} for _ in range(kept[0]["count"])]
    for kind, part in kept[0]["parts"].items():
        entries = torch.stack([one["parts"][kind]["entries"] for one in kept])
        each = entries.split(part["shapes"].long().prod(1).tolist(), 1)
        shapes = part["shapes"].tolist()
        for place, shape, values in zip(part["rows"].tolist(), shapes, each, strict=True):
            rows[place][kind.split(" ")[0]] = values.reshape(len(kept), *shape)
    return rows


def unpacked(kept: Mapping[str, Any], some: slice = slice(None)) -> list[Row]:
    """Return some neighbours of the rows that were `packed`, as views of what was kept."""
    places = range(kept["count"])[some]
    rows: list[Row] = [{} for _ in places]
    for kind, part in kept["parts"].items():
        key, ends = kind.split(" ")[0], torch.tensor([places.start, places.stop])
        within = slice(*torch.searchsorted(part["rows"], ends).tolist())
        sizes = part["shapes"].long().prod(1)
        lengths = sizes[within].tolist()
        entries = part["entries"].narrow(0, int(sizes[: within.start].sum()), sum(lengths))
        found = zip(part["rows"][within].tolist(), part["shapes"][within].tolist(), strict=True)
        for (place, shape), values in zip(found, entries.split(lengths), strict=True):
            rows[place - places.start][key] = values.view(shape)
    return rows
