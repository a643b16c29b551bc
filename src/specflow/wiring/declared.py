"""Pairs of neighbours that params declare by pattern."""

import re
from collections.abc import Iterable, Sequence

from pydantic import ConfigDict, Field, model_validator

from specflow.errors import SpecflowError
from specflow.section import Section, Text
from specflow.wiring.tensors import counted
from specflow.wiring.view import Side
from specflow.wiring.wiring import Matrix, Pair, follow


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


def declared_pairs(matrices: Sequence[Matrix], rules: Iterable[PairParams]) -> list[Pair]:
    """Return the pairs that rules declare, in the order of rules and previous matrices.

    Args:
        matrices: All matrices; patterns are those of their names.
        rules: What each `*` of `from` stands for, it stands for in `to`.

    Returns:
        The pairs.

    Raises:
        SpecflowError: If a rule makes no pair, or dimensions that should meet differ.
    """
    return [pair for rule in rules for pair in _pairs_of(rule, matrices)]


def _pairs_of(rule: PairParams, matrices: Sequence[Matrix]) -> list[Pair]:
    followers: dict[tuple[str, ...], list[Matrix]] = {}
    for matrix, stars in _matching(rule.to, matrices):
        followers.setdefault(stars, []).append(matrix)
    met = [
        (previous, following)
        for previous, stars in _matching(rule.from_, matrices)
        for following in followers.get(stars, [])
    ]
    if not met:
        raise SpecflowError(f"{_text_of(rule)} makes no pair of {counted(matrices)}")
    return [_pair(rule, previous, following) for previous, following in met]


def _pair(rule: PairParams, previous: Matrix, following: Matrix) -> Pair:
    pair = follow(previous, following, rule.from_side, rule.to_side)
    if not pair.fits:
        written, read = pair.meetings[0].lengths
        raise SpecflowError(
            f"{_text_of(rule)}: {previous.name} ({rule.from_side}, {written}) cannot "
            f"meet {following.name} ({rule.to_side}, {read}); "
            "expected equal lengths of singular vectors"
        )
    return pair


def _text_of(rule: PairParams) -> str:
    return f"pairs: {rule.from_!r} -> {rule.to!r}"


def _matching(pattern: str, matrices: Iterable[Matrix]) -> list[tuple[Matrix, tuple[str, ...]]]:
    """Return the matrices that a pattern matches, each with what its stars stand for."""
    expression = re.compile("(.*)".join(re.escape(part) for part in pattern.split("*")))
    found = ((matrix, expression.fullmatch(matrix.name)) for matrix in matrices)
    return [(matrix, match.groups()) for matrix, match in found if match is not None]
