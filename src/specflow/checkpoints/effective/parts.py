"""Tensors that are made of others when they are read: the parts leave, what they make is there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from specflow.checkpoints.base import Infos, Tensors, expect
from specflow.wiring.tensors import TensorInfo

Beside = Callable[[str], Mapping[str, Any] | None]  # what a JSON file beside the weights says


@dataclass(frozen=True)
class Composed:
    """A tensor that is made of others.

    Attributes:
        name: What it is called: as the parameter of the layer that applies it.
        shape: Its shape.
        how: How it is made, for people: "weight norm", "LoRA: W + 2 B A".
        parts: Names of what it is made of, one of them its own if it replaces a tensor.
        make: Makes it of its parts, in their order.
        dtype: Its dtype.
        gone: Names of what leaves with the parts, and is not read.
    """

    name: str
    shape: tuple[int, ...]
    how: str
    parts: tuple[str, ...]
    make: Callable[..., Tensor]
    dtype: torch.dtype = torch.float64
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a rule finds among the tensors of a step.

    Attributes:
        composed: Tensors to be made.
        skipped: Why tensors that are no weights by themselves cannot be made to one, by name.
        quantized: The format of numbers of a few bits that are not read as what they stand for,
            and of what belongs to them, by name.
    """

    composed: tuple[Composed, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    quantized: Mapping[str, str] = field(default_factory=dict)


def as_it_is(weight: Tensor) -> Tensor:
    """Return a weight that is the one part of what it makes."""
    return weight


Rule = Callable[[Tensors, Beside], Found]


class Recomposed:
    """The tensors of a step in which parts are made to what a rule found (`Tensors`)."""

    def __init__(self, tensors: Tensors, found: Found) -> None:
        """Take in what is made.

        Parts stay if another tensor has the name of what they would make, or if they have no real
        numbers.
        """
        self._tensors = tensors
        self._composed = {
            one.name: one
            for one in found.composed
            if (one.name in (*one.parts, *one.gone) or one.name not in tensors.infos)
            and all(_is_real(tensors.infos[part].dtype) for part in one.parts)
        }
        made = self._composed.values()
        gone = {part for one in made for part in (*one.parts, *one.gone)} | found.skipped.keys()
        order = {name: place for place, name in enumerate(tensors.infos)}
        kept = [
            (order[name], name, info) for name, info in tensors.infos.items() if name not in gone
        ]
        kept += [(_place(one, order), one.name, TensorInfo(one.shape, one.dtype)) for one in made]
        kept.sort(key=lambda entry: entry[0])
        self.infos: Infos = {name: info for _, name, info in kept}
        self.skipped: Mapping[str, str] = {**tensors.skipped, **found.skipped}
        self.composed: Mapping[str, str] = {one.name: one.how for one in made}

    def read(self, name: str) -> Tensor:
        """Return one tensor, made of its parts if it has some; errors as of the file."""
        one = self._composed.get(name)
        if one is None:
            return self._tensors.read(name)
        return one.make(*map(self._tensors.read, one.parts)).contiguous()

    def expect(self, names: Iterable[str]) -> None:
        """Take note of tensors that will be read: of their parts, if they have some."""
        parts = (self._composed[n].parts if n in self._composed else (n,) for n in names)
        expect(self._tensors, chain.from_iterable(parts))


def _place(one: Composed, order: Mapping[str, int]) -> int:
    """Return where it stands among the tensors: in its own place, or in that of its first part."""
    return order.get(one.name, min(order[part] for part in (*one.parts, *one.gone)))


def _is_real(dtype: torch.dtype) -> bool:
    return not dtype.is_complex and dtype != torch.float4_e2m1fn_x2
