"""The step that the name of a checkpoint says; no number that is none passes for one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from specflow.errors import SpecflowError, some_of

_HASH = re.compile(r"(?<![0-9a-z])(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?![0-9a-z])")
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)*(?:(?:[kKmMbB]|e[-+]?[0-9]+)(?![0-9a-zA-Z]))?)")
_WORD_BEFORE = re.compile(r"(?:([a-z]+)[-_ ]?)?(?<![a-z])([a-z]+)[-_=. ]*$", re.IGNORECASE)
# In order of preference, where a name has several.
_STEP_WORDS = (("step", "globalstep"), ("iter", "iteration"), ("checkpoint", "ckpt"), ("epoch",))
_SETTINGS = {"max", "num", "total", "warmup", "n", "every"}  # of steps, but not the step
_NO_STEPS = {"v", "version", "seed", "fold", "trial", "run", "rank", "lr", "wd", "dim"}
_FACTORS = {"k": 10**3, "m": 10**6, "b": 10**9}
_FIRST = re.compile(r"(?<![a-z])(?:init|initial|initialization)(?![a-z])", re.IGNORECASE)
_LAST = re.compile(r"(?<![a-z])(?:final|last)(?![a-z])", re.IGNORECASE)
EXPECTED = "expected step_from (--step-from), or the step of each (STEP=PATH)"


class Steps(NamedTuple):
    """Steps by name, and how they were found where their names do not say it."""

    by_name: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Number:
    """A number in a name: the words before it, its digits, and what follows them at once."""

    before: str
    word: str
    digits: str
    suffix: str

    @property
    def group(self) -> int | None:
        """Which of `_STEP_WORDS` it follows."""
        word = self.word.removesuffix("s")
        found = (n for n, words in enumerate(_STEP_WORDS) if word in words)
        return None if self.before in _SETTINGS else next(found, None)

    @property
    def is_no_step(self) -> bool:
        """Whether it is a version, a size or a setting."""
        is_size = self.suffix == "b" and self.group is None
        settings = self.word in _NO_STEPS or self.before in _SETTINGS
        return is_size or settings or self.suffix.startswith("e") or self.digits.count(".") > 1

    @property
    def value(self) -> Decimal:
        whole, *rest = self.digits.split(".")  # a version or an address has several dots
        return Decimal(f"{whole}.{''.join(rest)}") * _FACTORS.get(self.suffix, 1)


def steps_by_pattern(names: Sequence[str], step_from: str) -> Steps:
    """Return the steps that a regular expression with one group finds in names.

    Raises:
        SpecflowError: If it does not match, or its group is no whole number.
    """
    steps = {}
    for name in names:
        match = re.search(step_from, name)
        if match is None or not (match[1] or "").isdecimal():
            got = "does not match" if match is None else f"gives {match[1]!r}"
            raise SpecflowError(f"{name}: step_from {step_from!r} {got}; expected a whole number")
        steps[name] = int(match[1])
    return Steps(steps)


def steps_of(names: Sequence[str], are_given: bool) -> Steps:
    """Return the steps that names say.

    A step is the one number in which names differ, or the number that follows "step", "iter",
    "checkpoint" or "epoch", the first of these that all have; k, M and B multiply. An initial
    state is step 0, a final one follows all others. Names that differ in text alone are numbered
    in their order.

    Args:
        names: Of checkpoints, with their folders.
        are_given: Whether their order was chosen, as it is not of those that match a pattern.

    Raises:
        SpecflowError: If they leave it open.
    """
    if len(names) == 1:
        return _named(names) or Steps({names[0]: 0})
    return _told(names) or _with_ends(names, are_given) or _in_order(names, are_given)


def _told(names: Sequence[str]) -> Steps | None:
    """Return the steps if the names differ in one number alone, or all say their step."""
    parts = [_split(name) for name in names]
    if len({texts for texts, _ in parts}) == 1:
        columns = zip(*(numbers for _, numbers in parts), strict=True)
        differing = [column for column in columns if len({n.value for n in column}) > 1]
        if len(differing) == 1:
            return _numbered(names, differing[0])
    return _named(names)


def _named(names: Sequence[str]) -> Steps | None:
    """Return the steps that follow a word for them, of the first word that all names have.

    Raises:
        SpecflowError: If two such words contradict each other.
    """
    found = []
    for group in range(len(_STEP_WORDS)):
        own = [[n for n in _split(name)[1] if n.group == group] for name in names]
        if all(own) and (len(names) == 1 or len({n[-1].value for n in own}) > 1):
            found.append([numbers[-1] for numbers in own])
    if not found:
        return None
    if any(_ranks(other) != _ranks(found[0]) for other in found[1:]) and _contradict(found):
        words = " and ".join(f"{numbers[0].word!r}" for numbers in found)
        raise SpecflowError(f"{some_of(names, 2)}: {words} order them differently; {EXPECTED}")
    return _numbered(names, found[0])


def _ranks(numbers: Sequence[_Number]) -> list[int]:
    return sorted(range(len(numbers)), key=lambda place: numbers[place].value)


def _contradict(found: Sequence[Sequence[_Number]]) -> bool:
    """Return whether one number falls where the first rises."""
    order = _ranks(found[0])
    return any(
        numbers[after].value < numbers[before].value
        for numbers in found[1:]
        for before, after in pairwise(order)
    )


def _numbered(names: Sequence[str], numbers: Sequence[_Number]) -> Steps | None:
    """Return the steps that these numbers are; None if they are none.

    Raises:
        SpecflowError: If their unit is not clear.
    """
    if any(number.is_no_step for number in numbers):
        return None
    unclear = [n for n in numbers if n.suffix == "m" and n.group is None]
    if unclear:
        said = f"{unclear[0].digits}M may be a size or a step"
        raise SpecflowError(f"{some_of(names, 2)}: {said}; {EXPECTED}")
    values = [number.value for number in numbers]
    if all(value == int(value) for value in values):
        return Steps({name: int(value) for name, value in zip(names, values, strict=True)})
    order = sorted(set(values))
    said = ", ".join(f"{value} is {place}" for place, value in enumerate(order[:10]))
    steps = {name: order.index(value) for name, value in zip(names, values, strict=True)}
    return Steps(steps, (f"steps: numbered in the order of the decimals in their names: {said}",))


def _with_ends(names: Sequence[str], are_given: bool) -> Steps | None:
    """Return the steps of names of which one says that it is the first, or one the last.

    Raises:
        SpecflowError: If two say so, or others leave it open.
    """
    first, last = (_saying(words, names) for words in (_FIRST, _LAST))
    ends = [*first, *last]
    if not ends:
        return None
    others = [name for name in names if name not in ends]
    told = _told_of(others, ends) or _between(others, len(first), are_given)
    before = [name for name, step in told.by_name.items() if first and step == 0]
    if len(first) > 1 or len(last) > 1 or {*first} & {*last} or before:
        said = "which is the first and which the last is not clear"
        raise SpecflowError(f"{some_of([*ends, *before], 3)}: {said}; {EXPECTED}")
    steps, notes = dict(told.by_name), list(told.notes)
    for name in first:
        steps[name] = 0
    for name in last:
        steps[name] = max(steps.values()) + 1
        notes.append(f"steps: {name} is numbered {steps[name]}, after all others")
    return Steps(steps, tuple(notes))


def _saying(words: re.Pattern[str], names: Sequence[str]) -> list[str]:
    """Return the names that hold one of some words; none if all do."""
    found = [name for name in names if words.search(_own(name, names))]
    return found if len(found) < len(names) else []


def _told_of(names: Sequence[str], ends: Sequence[str]) -> Steps | None:
    """Return the steps of names that one of any number is among, and that lie between ends."""
    if len(names) > 1:
        return _told(names)
    return (_named(names) or _lone(names[0], ends)) if names else Steps({})


def _lone(name: str, ends: Sequence[str]) -> Steps | None:
    """Return the step of a name by its one number that ends do not have; None without any.

    Raises:
        SpecflowError: If it has several.
    """
    shared = {number.value for end in ends for number in _split(end)[1]}
    own = [n for n in _split(name)[1] if n.value not in shared and not n.is_no_step]
    if len(own) > 1:
        raise SpecflowError(f"{name}: several numbers, which may be a step; {EXPECTED}")
    return _numbered([name], own) if own else None


def _between(names: Sequence[str], start: int, are_given: bool) -> Steps:
    """Return names that say no step numbered in their order, which must mean something."""
    steps = {name: start + n for name, n in _in_order(names, are_given).by_name.items()}
    said = ", ".join(f"{name} is {step}" for name, step in [*steps.items()][:10])
    return Steps(steps, (f"steps: numbered, as no number in their names is a step: {said}",))


def _own(name: str, names: Sequence[str]) -> str:
    """Return the parts of a path that not all others have."""
    shared = set.intersection(*({*one.split("/")} for one in names))
    return "/".join(part for part in name.split("/") if part not in shared)


def _in_order(names: Sequence[str], are_given: bool) -> Steps:
    """Return names numbered in their order, which must mean something.

    Raises:
        SpecflowError: If it may not.
    """
    parts = [_split(name) for name in names]
    shared = set.intersection(*({n.value for n in numbers} for _, numbers in parts))
    differing = [n for _, numbers in parts for n in numbers if n.value not in shared]
    means_something = all(n.is_no_step for n in differing) or (len(names) == 2 and are_given)
    if not means_something or any(n.group is not None for n in differing):
        raise SpecflowError(
            f"{some_of(names, 2)}: names that do not differ in one number alone, of a step; "
            f"{EXPECTED}"
        )
    order = "the order given" if are_given else "the order of their names"
    said = ", ".join(f"{name} is {place}" for place, name in enumerate(names[:10]))
    note = f"steps: numbered in {order}, as no number in their names is a step: {said}"
    return Steps({name: place for place, name in enumerate(names)}, (note,))


def _split(name: str) -> tuple[tuple[str, ...], tuple[_Number, ...]]:
    """Return the texts between the numbers of a name, and the numbers; a hash is text."""
    hidden = _HASH.sub(lambda match: re.sub("[0-9]", "x", match[0]), name)
    parts = _NUMBER.split(hidden)
    numbers = []
    for place in range(1, len(parts), 2):
        words = _WORD_BEFORE.search(parts[place - 1])
        before, word = ((words[1] or "").lower(), words[2].lower()) if words else ("", "")
        digits = re.match(r"[0-9.]+", parts[place])
        assert digits is not None
        suffix = parts[place][digits.end() :].lower()
        numbers.append(_Number(before, word, digits[0], suffix))
    return tuple(parts[::2]), tuple(numbers)
