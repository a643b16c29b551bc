"""What was found, a sentence a theme, by nothing but the verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from specflow.claims.scorecard import JudgedClaim, Scorecard

# Claims that are in none of these, such as a user's own, have the last sentence.
THEMES: dict[str, tuple[str, ...]] = {
    "What training does to spectra": (
        *("rank_falls", "unequal_growth", "top_settles_early", "top_half_suffices"),
        "alignment_weak",
    ),
    "Grokking": ("grokking_is_low_rank", "grokking_coincides", "more_data_low_rank"),
    "Weight decay and random labels": (
        *("decay_lowers_rank", "memorization_is_high_rank", "memorization_unaligned"),
    ),
    "Lottery tickets": ("tickets_keep_top",),
    "Linear mode connectivity": (
        *("late_split_connected", "connected_share_directions", "trunks_unconnected"),
        *("trunks_share_nothing", "perturbation_breaks"),
    ),
}
OTHERS = "Beyond these"

Outcome = Literal["holds", "mostly", "open", "fails", "undecided", "not attempted"]
# What comes before the first claim of an outcome, and before each further one; in their order.
_WORDS: Mapping[Outcome, tuple[str, str]] = {
    "holds": ("", ""),
    "mostly": ("mostly, but not always, ", ""),
    "fails": ("contrary to the paper, it does not hold that ", "that "),
    "open": ("it is open whether ", "whether "),
    "undecided": ("it is undecided whether ", "whether "),
    "not attempted": ("not attempted was whether ", "whether "),
}


class Part(NamedTuple):
    """Some words of a sentence; `claim` is the id of the claim that they state, if they do."""

    text: str
    claim: str | None = None


Sentence = Sequence[Part]


def sentences(scorecard: Scorecard) -> dict[str, Sentence]:
    """Return a sentence for each theme that has a claim."""
    named = {claim for claims in THEMES.values() for claim in claims}
    others = tuple(claim for claim in scorecard if claim not in named)
    themes = {
        theme: [claim for claim in claims if claim in scorecard]
        for theme, claims in (THEMES | {OTHERS: others}).items()
    }
    return {
        theme: _sentence({claim: scorecard[claim] for claim in claims})
        for theme, claims in themes.items()
        if claims
    }


def outcome_of(claim: JudgedClaim) -> Outcome:
    """Return what all verdicts on a claim together say."""
    holds, fails = claim.counts["holds"], claim.counts["does not hold"]
    half = len(claim.subjects) / 2
    if not claim.subjects:
        return "not attempted"
    if not holds and not fails:
        return "undecided"
    if holds > half:
        return "mostly" if fails else "holds"
    return "fails" if fails > half else "open"


def _sentence(claims: Scorecard) -> Sentence:
    parts: list[Part] = []
    for outcome, (lead, again) in _WORDS.items():
        own = [claim for claim in claims if outcome_of(claims[claim]) == outcome]
        if own:
            parts += [Part("; " if parts else ""), *_group(claims, own, lead, again)]
    first = next(place for place, part in enumerate(parts) if part.text)
    text = parts[first].text
    parts[first] = parts[first]._replace(text=text[0].upper() + text[1:])
    return [part for part in [*parts, Part(".")] if part.text]


def _group(claims: Scorecard, own: Sequence[str], lead: str, again: str) -> Iterator[Part]:
    """Yield claims of one outcome: lead a, again b and again c."""
    for place, name in enumerate(own):
        if place:
            yield Part(" and " if place == len(own) - 1 else ", ")
        yield Part(again if place else lead)
        yield Part(claims[name].claim, name)
        yield Part(_numbers(claims[name]))


def _numbers(claim: JudgedClaim) -> str:
    """Return how many verdicts speak for a claim, and against it, in brackets."""
    holds, fails = claim.counts["holds"], claim.counts["does not hold"]
    total = len(claim.subjects)
    match outcome_of(claim):
        case "holds":
            return f" ({holds} of {total})"
        case "fails":
            return f" ({fails} of {total}{f', for it {holds}' if holds else ''})"
        case "mostly" | "open":
            return f" ({holds} for it, {fails} against, of {total})"
        case "undecided":
            return f" (none of {total})"
        case _:
            return ""
