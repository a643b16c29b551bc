"""Pairs of neighbours that params declare by pattern."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from specflow.errors import SpecflowError
from specflow.matrices import Side
from specflow.section import Section, Text
from specflow.wiring.tensors import counted
from specflow.wiring.wiring import Matrix, Pair, follow

_TEXT = re.compile(r"(.+?)(?::(left|right))? *-> *(.+?)(?::(left|right))?")


class PairParams(Section):
    """Neighbours by pattern: what each `*` stands for is the same in both names.

    Attributes:
        from_: Pattern of previous matrices, `from` in YAML.
        to: Pattern of the following ones, with as many `*`.
        from_side: "left" if outputs of the previous matrix meet; "right" for an embedding, whose
            rows are tokens.
        to_side: "right" if inputs of the following matrix meet; "left" for its outputs.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Text = Field(alias="from")
    to: Text
    from_side: Side = "left"
    to_side: Side = "right"

    @model_validator(mode="after")
    def _same_stars(self) -> "PairParams":
        stars = self.from_.count("*"), self.to.count("*")
        if stars[0] != stars[1]:
            raise ValueError(f"from has {stars[0]} `*` and to has {stars[1]}; expected as many")
        return self


def pair_of(text: str) -> dict[str, Any]:
    """Return the neighbours, as in `PairParams`, that one line of text says: `FROM -> TO`.

    `:left` or `:right` after either says which of its singular vectors meet.

    >>> pair_of("embed:right -> *.0.q")
    {'from': 'embed', 'to': '*.0.q', 'from_side': 'right'}

    Raises:
        SpecflowError: If it is none.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        expected = "'*.v -> *.o' or 'embed:right -> *.q'"
        raise SpecflowError(f"pairs: got {text!r}; expected two patterns, as {expected}")
    sides = {"from_side": match[2], "to_side": match[4]}
    named = {side: value for side, value in sides.items() if value}
    return {"from": match[1], "to": match[3], **named}


def declared_pairs(matrices: Sequence[Matrix], rules: Iterable[PairParams]) -> list[Pair]:
    """Return the pairs that rules declare, in the order of rules and previous matrices.

    Raises:
        SpecflowError: If a rule makes no pair, dimensions that should meet differ, or two rules
            let the same matrices meet on different sides.
    """
    pairs: dict[str, Pair] = {}
    for rule in rules:
        for pair in _pairs_of(rule, matrices):
            if pairs.setdefault(pair.label, pair) != pair:
                raise SpecflowError(f"pairs: {pair.label} meet on two sides; expected one pair")
    return list(pairs.values())


def _pairs_of(rule: PairParams, matrices: Sequence[Matrix]) -> list[Pair]:
    text = f"pairs: {rule.from_!r} -> {rule.to!r}"
    followers = defaultdict(list)
    for matrix, stars in _matching(rule.to, matrices):
        followers[stars].append(matrix)
    pairs = []
    for previous, stars in _matching(rule.from_, matrices):
        for following in followers[stars]:
            pair = follow(previous, following, rule.from_side, rule.to_side)
            if not pair.fits:
                written, read = pair.meetings[0].lengths
                raise SpecflowError(
                    f"{text}: {previous.name} ({rule.from_side}, {written}) cannot "
                    f"meet {following.name} ({rule.to_side}, {read}); "
                    "expected equal lengths of singular vectors"
                )
            pairs.append(pair)
    if not pairs:
        raise SpecflowError(f"{text} makes no pair of {counted(matrices)}")
    return pairs


def _matching(
    pattern: str, matrices: Iterable[Matrix]
) -> Iterator[tuple[Matrix, tuple[str | None, ...]]]:
    """Yield the matrices that a pattern matches, each with what its stars stand for."""
    expression = re.compile("(.*)".join(re.escape(part) for part in pattern.split("*")))
    for matrix in matrices:
        matches = (expression.fullmatch(name) for name in matrix.names)
        match = next((one for one in matches if one is not None), None)
        if match is not None:
            yield matrix, match.groups()
