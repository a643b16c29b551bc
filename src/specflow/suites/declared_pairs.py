"""Pairs of neighbours that params declare by pattern."""

import re
from collections.abc import Iterable, Sequence

from specflow.params.suites import SuitePairParams
from specflow.suites.errors import SuiteError
from specflow.suites.matrices import SuiteMatrix
from specflow.suites.neighbours import Neighbours, follow


def declared_pairs(
    matrices: Sequence[SuiteMatrix], rules: Iterable[SuitePairParams]
) -> list[Neighbours]:
    """Return the pairs that rules declare, in the order of rules and previous matrices.

    Args:
        matrices: All matrices; patterns are those of their names.
        rules: What each `*` of `from` stands for, it stands for in `to`.

    Returns:
        The pairs.

    Raises:
        SuiteError: If a rule makes no pair, or dimensions that should meet differ.
    """
    return [pair for rule in rules for pair in _pairs_of(rule, matrices)]


def _pairs_of(rule: SuitePairParams, matrices: Sequence[SuiteMatrix]) -> list[Neighbours]:
    followers: dict[tuple[str, ...], list[SuiteMatrix]] = {}
    for matrix, stars in _matching(rule.to, matrices):
        followers.setdefault(stars, []).append(matrix)
    pairs = [
        follow(previous, following, rule.from_side, rule.to_side)
        for previous, stars in _matching(rule.from_, matrices)
        for following in followers.get(stars, [])
    ]
    rule_text = f"pairs: {rule.from_!r} -> {rule.to!r}"
    if not pairs:
        names = ", ".join(matrix.name for matrix in matrices[:10])
        raise SuiteError(f"{rule_text} makes no pair of the {len(matrices)} matrices {names}, ...")
    for pair in pairs:
        if not pair.fit:
            (meeting,) = pair.meetings
            written, read = meeting.lengths
            raise SuiteError(
                f"{rule_text}: {meeting.previous.name} ({meeting.previous_side}, {written}) cannot "
                f"meet {meeting.following.name} ({meeting.following_side}, {read}); "
                "expected equal lengths of singular vectors"
            )
    return pairs


def _matching(
    pattern: str, matrices: Iterable[SuiteMatrix]
) -> list[tuple[SuiteMatrix, tuple[str, ...]]]:
    """Return the matrices that a pattern matches, each with what its stars stand for."""
    expression = re.compile("(.*)".join(re.escape(part) for part in pattern.split("*")))
    found = ((matrix, expression.fullmatch(matrix.name)) for matrix in matrices)
    return [(matrix, match.groups()) for matrix, match in found if match is not None]
