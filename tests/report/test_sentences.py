"""Sentences follow from the verdicts: every combination of them."""

import re
from collections import Counter
from itertools import combinations_with_replacement
from typing import get_args

import pytest
from tests.report.made_up import claim, result

from specflow.claims.claim import all_claims
from specflow.claims.scorecard import JudgedClaim, Verdict
from specflow.report.sentences import OTHERS, THEMES, outcome_of, sentences

VERDICTS = get_args(Verdict)
COMBINATIONS = [
    combination
    for size in range(5)
    for combination in combinations_with_replacement(VERDICTS, size)
]
DENIALS = {
    "fails": "contrary to the paper, it does not hold that ",
    "open": "it is open whether ",
    "undecided": "it is undecided whether ",
    "not attempted": "not attempted was whether ",
}


def judged(name, verdicts) -> JudgedClaim:
    subjects = {f"s{place}": result(verdict) for place, verdict in enumerate(verdicts)}
    return JudgedClaim.model_validate(claim(name, subjects))


def sentence_of(scorecard, theme=OTHERS):
    return "".join(part.text for part in sentences(scorecard)[theme])


def naive_outcome(verdicts):
    """What a reader would say of these verdicts, by cases."""
    holds, fails = verdicts.count("holds"), verdicts.count("does not hold")
    if len(verdicts) == 0:
        return "not attempted"
    if holds == fails == 0:
        return "undecided"
    if holds / len(verdicts) > 0.5:
        return "holds" if fails == 0 else "mostly"
    if fails / len(verdicts) > 0.5:
        return "fails"
    return "open"


@pytest.mark.parametrize("verdicts", COMBINATIONS)
def test_a_sentence_says_what_its_verdicts_say_and_how_many_they_are(verdicts):
    said = sentence_of({"a": judged("a", verdicts)})
    outcome = outcome_of(judged("a", verdicts))
    assert outcome == naive_outcome(verdicts)
    for other, words in DENIALS.items():
        assert (words in said.lower()) == (other == outcome)
    assert ("not always" in said) == (outcome == "mostly")
    numbers, counts = list(map(int, re.findall(r"\d+", said))), Counter(verdicts)
    assert not numbers or numbers[-1] == len(verdicts) or outcome == "fails"
    against = counts["does not hold"]
    assert not against or f"{against} against" in said or f"({against} of" in said
    assert said[0].isupper()
    assert said.endswith(".")


@pytest.mark.parametrize("first", COMBINATIONS[::3])
@pytest.mark.parametrize("second", COMBINATIONS[::4])
def test_claims_of_one_theme_do_not_change_what_is_said_of_each_other(first, second):
    scorecard = {"a": judged("a", first), "b": judged("b", second)}
    said = sentence_of(scorecard)
    for name, verdicts in (("a", first), ("b", second)):
        alone = sentence_of({name: judged(name, verdicts)})
        stated = alone.lower().removesuffix(".").partition(f"claim {name}")[2]
        assert said.lower().count(f"claim {name}{stated}") == 1
    denied = {DENIALS.get(naive_outcome(verdicts)) for verdicts in (first, second)}
    assert {words for words in DENIALS.values() if words in said.lower()} == denied - {None}


def test_every_part_that_states_a_claim_names_it():
    scorecard = {name: judged(name, ["holds"]) for name in ("rank_falls", "own", "alignment_weak")}
    parts = [part for sentence in sentences(scorecard).values() for part in sentence]
    stated = {part.claim: part.text.lower() for part in parts if part.claim}
    assert stated == {name: f"claim {name}" for name in scorecard}


def test_every_claim_has_a_theme_and_only_those_of_users_are_others():
    scorecard = {name: judged(name, []) for name in all_claims()}
    assert [*sentences(scorecard)] == [*THEMES]
    assert len(THEMES) == 5
    assert [*sentences({"own": judged("own", [])})] == [OTHERS]
    assert sentences({}) == {}
