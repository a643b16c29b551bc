from collections.abc import Callable

import pytest

TEXT = {
    "kind": "reference_text",
    "tokenizer": {"kind": "byte_pairs", "num_tokens": 512},
    "length": 64,
    "num_train_sequences": 1000,
    "num_validation_sequences": 100,
    "validation_fraction": 0.1,
    "seed": 0,
}
LANGUAGE = {
    "datasets.text": TEXT,
    "tasks.addition.batch_size": 16,
    "tasks.addition.problem": {"kind": "language_modelling"},
    "experiments.grokking.dataset": "text",
}


def test_language_modelling_on_text_is_accepted(problems_with: Callable[..., list[str]]) -> None:
    assert problems_with(LANGUAGE) == []


def test_sizes_are_known_without_the_text(problems_with: Callable[..., list[str]]) -> None:
    found = problems_with(LANGUAGE | {"tasks.addition.batch_size": 1001})
    expected = "batch_size: got 1001; expected less than the 1000 samples"
    assert any(expected in line for line in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks.addition.problem": {"kind": "classification"}},  # of text
        {"experiments.grokking.dataset": "addition"},  # text is not what is modelled
    ],
)
def test_text_and_language_modelling_belong_together(
    problems_with: Callable[..., list[str]], changes: dict[str, object]
) -> None:
    found = problems_with(LANGUAGE | changes)
    assert found
    assert any(
        line.startswith("experiments.grokking.problem.kind: got ")
        and line.endswith("expected language_modelling on text, and on nothing else")
        for line in found
    )


def test_images_are_no_text(problems_with: Callable[..., list[str]]) -> None:
    found = problems_with({"tasks.digits.problem": {"kind": "language_modelling"}})
    assert any("problem.kind" in line and "expected classification" in line for line in found)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokenizer", {"kind": "byte_pairs", "num_tokens": 256}),  # no room for the separator
        ("tokenizer", {"kind": "bytes", "num_tokens": 300}),
        ("tokenizer", {"kind": "words"}),
        ("length", 0),
        ("num_train_sequences", 0),
        ("num_validation_sequences", 0),
        ("validation_fraction", 1.0),
    ],
)
def test_impossible_text_is_refused(
    problems_with: Callable[..., list[str]], key: str, value: object
) -> None:
    found = problems_with(LANGUAGE | {"datasets.text": TEXT | {key: value}})
    assert any(line.startswith(f"datasets.text.{key}") for line in found)


def test_wikitext_needs_neither_seed_nor_split(problems_with: Callable[..., list[str]]) -> None:
    wikitext = {key: TEXT[key] for key in list(TEXT)[:5]}
    wikitext |= {"kind": "wikitext103", "lower_cased": True}
    assert problems_with(LANGUAGE | {"datasets.text": wikitext}) == []
    found = problems_with(LANGUAGE | {"datasets.text": wikitext | {"seed": 0}})
    assert any("datasets.text.seed" in line for line in found)
