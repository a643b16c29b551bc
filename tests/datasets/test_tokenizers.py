import numpy as np
import pytest

from specflow.datasets.tokenizers import BytePairParams, ByteParams, unigram_bits
from specflow.errors import SpecflowError

TEXTS = [
    "the cat sat on the mat; the cat sat there\n" * 5,
    "naïve café — 12345 ∑ \U0001f600\n\n  indented\ttext",
    "<|separator|> is text here",
    "",
]
NEW = ["Unseen: żółć ☃ \x00\x7f the\n", "  <|separator|>"]


def byte_pairs(num_tokens: int) -> BytePairParams:
    return BytePairParams(kind="byte_pairs", num_tokens=num_tokens)


BOTH = [ByteParams(kind="bytes"), byte_pairs(270)]


@pytest.mark.parametrize("params", BOTH, ids=["bytes", "byte pairs"])
def test_tokens_stand_for_the_bytes_of_the_text(params: ByteParams | BytePairParams) -> None:
    tokenizer = params.train(TEXTS)
    for text, tokens in zip(TEXTS + NEW, tokenizer.encode(TEXTS + NEW), strict=True):
        assert b"".join(tokenizer.contents[token] for token in tokens) == text.encode()
        assert tokens.dtype == np.int32
        assert tokenizer.separator not in tokens  # whatever the text reads like


@pytest.mark.parametrize("params", BOTH, ids=["bytes", "byte pairs"])
def test_vocabulary_has_every_byte_and_an_empty_separator(
    params: ByteParams | BytePairParams,
) -> None:
    tokenizer = params.train(TEXTS)
    assert {bytes([value]) for value in range(256)} < set(tokenizer.contents)
    assert len(tokenizer.contents) == params.num_tokens
    empty = [token for token, content in enumerate(tokenizer.contents) if not content]
    assert empty == [tokenizer.separator]


def test_first_merge_is_the_most_frequent_pair() -> None:
    tokenizer = byte_pairs(258).train(["abab abab xyzzy"])
    assert tokenizer.contents[257] == b"ab"
    assert [len(tokens) for tokens in tokenizer.encode(["abab"])] == [2]


def test_training_is_reproducible() -> None:
    first, again = byte_pairs(270).train(TEXTS), byte_pairs(270).train(iter(TEXTS))
    assert first.definition == again.definition
    assert first.definition != byte_pairs(270).train([*TEXTS[::-1], "zq" * 99]).definition


def test_vocabulary_that_the_text_does_not_fill_is_refused() -> None:
    with pytest.raises(
        SpecflowError, match=r"tokenizer\.num_tokens: got 5000; .*at most the 2\d\d"
    ):
        byte_pairs(5000).train(TEXTS)


def test_unigram_model_matches_naive() -> None:
    bits = unigram_bits(iter(TEXTS))
    data = "".join(TEXTS).encode()
    naive = [-np.log2((data.count(value) + 1) / (len(data) + 256)) for value in range(256)]
    np.testing.assert_allclose(bits, naive, rtol=1e-12)
    assert (2.0**-bits).sum() == pytest.approx(1)
