from pathlib import Path

import numpy as np
import pytest
import torch
from tests.datasets.builders import LIBRISPEECH, transcripts, valid

from specflow.datasets.features import mel_features
from specflow.datasets.storage import Data, load, write_dataset
from specflow.datasets.utterances import Utterance, write_utterances
from specflow.errors import SpecflowError


def utterance(text: str, samples: int, seed: int = 0) -> Utterance:
    sound = np.random.default_rng(seed).standard_normal(samples)
    return Utterance(f"utterance of {text!r}", sound, text)


def written(utterances: list[Utterance], folder: Path) -> Data:
    with write_dataset(folder / "speech.h5", valid(LIBRISPEECH)) as writer:
        for split in ("train", "validation"):
            write_utterances(writer, split, iter(utterances), logarithm=True)
    return load(folder / "speech.h5")


def test_arrays_are_features_and_symbols_followed_by_zeros(tmp_path: Path) -> None:
    utterances = [utterance("a z", 4000, 1), utterance("don't", 6000, 2), utterance("b", 1600, 3)]
    part = written(utterances, tmp_path).train
    assert part["inputs"].shape == (3, 12, 40)
    assert part["inputs"].dtype == torch.float32
    assert part["input_lengths"].tolist() == [8, 12, 3]
    assert part["target_lengths"].tolist() == [3, 5, 1]
    for row, length, one in zip(part["inputs"], part["input_lengths"], utterances, strict=True):
        assert np.array_equal(row[:length].numpy(), mel_features(one.samples, logarithm=True))
        assert not row[length:].any()
    assert transcripts(part) == ["a z", "don't", "b"]
    assert part["targets"][0].tolist() == [3, 1, 28, 0, 0]
    assert part["targets"][2].tolist() == [4, 0, 0, 0, 0]


@pytest.mark.parametrize("text", ["", "one2", "One", "naïve"])
def test_other_characters_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecflowError, match=f"utterance of '{text}': transcript '{text}'"):
        written([utterance(text, 4000)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_few_frames_for_the_transcript_are_refused(tmp_path: Path) -> None:
    assert written([utterance("abc", 1600)], tmp_path).train["input_lengths"].tolist() == [3]
    message = "utterance of 'abb': 3 frames for the transcript 'abb'; expected at least 4"
    with pytest.raises(SpecflowError, match=message):
        written([utterance("abb", 1600)], tmp_path)
