import io
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import LIBRISPEECH, made, needs_speech, stand_in, tar_gz, transcripts

from specflow.datasets import librispeech
from specflow.datasets.features import mel_features
from specflow.datasets.librispeech import LibriSpeechParams, read_archive
from specflow.errors import SpecflowError

pytestmark = needs_speech("soundfile")
TEXTS = {
    "19-198-0000": "NORTHANGER",
    "19-198-0001": "IT'S A B",
    "26-495-0000": "ONE TWO",
}


def sound(count: int = 16_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, count, dtype=np.int16)


def flac(samples: np.ndarray, rate: int = 16_000) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def tree(subset: str) -> dict[str, bytes]:
    """The members of an archive in its true layout, one transcript file before its sounds."""
    files = {"LibriSpeech/README.TXT": b"about", "LibriSpeech/SPEAKERS.TXT": b"19 | F"}
    for place, name in enumerate(TEXTS):
        speaker, chapter, _ = name.split("-")
        folder = f"LibriSpeech/{subset}/{speaker}/{chapter}"
        files[f"{folder}/{name}.flac"] = flac(sound(16_000 + 800 * place, place))
        lines = [f"{key} {text}\n" for key, text in TEXTS.items() if key.startswith(speaker)]
        files[f"{folder}/{speaker}-{chapter}.trans.txt"] = "".join(lines).encode()
    return files


@pytest.fixture
def read(tmp_path: Path):
    def read(files: dict[str, bytes]) -> list[librispeech.Utterance]:
        (tmp_path / "a.tar.gz").write_bytes(tar_gz(files))
        return list(read_archive(tmp_path / "a.tar.gz", 3))

    return read


def test_utterances_are_sounds_with_their_transcripts(read) -> None:
    found = read(tree("dev-clean"))
    assert {u.name: u.text for u in found} == {k: v.lower() for k, v in TEXTS.items()}
    for place, utterance in enumerate(sorted(found)):
        assert np.array_equal(utterance.samples, sound(16_000 + 800 * place, place))


def test_the_dataset_has_both_archives_in_random_order(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split, subset in (("train", "train-clean-100"), ("validation", "dev-clean")):
        stand_in(monkeypatch, librispeech.ARCHIVES, split, tar_gz(tree(subset)))
        monkeypatch.setattr(LibriSpeechParams, f"num_{split}", 3)
    orders = []
    for seed in range(3):
        part = made(LIBRISPEECH | {"seed": seed}, workplace).train
        texts = transcripts(part)
        assert sorted(texts) == sorted(text.lower() for text in TEXTS.values())
        orders.append(texts)
        row = texts.index("it's a b")
        expected = mel_features(sound(16_800, 1), logarithm=True)
        assert np.array_equal(part["inputs"][row][: len(expected)].numpy(), expected)
        assert part["input_lengths"][row] == len(expected)
    assert orders[0] != orders[1] or orders[0] != orders[2]


FLAC = "LibriSpeech/dev-clean/19/198/19-198-0000.flac"
TRANSCRIPTS = "LibriSpeech/dev-clean/19/198/19-198.trans.txt"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (FLAC, b"fLaC but no more", r"19-198-0000\.flac: cannot be read"),
        (TRANSCRIPTS, b"19-198-0001 A\n", r"19-198-0000\.flac has no transcript"),
        (TRANSCRIPTS, b"19-198-0001\n", r"19-198\.trans\.txt: expected lines of a name and a text"),
        (FLAC, lambda: flac(sound(), 8000), r"shape \(16000,\) at 8000 Hz; expected one channel"),
        (FLAC, lambda: flac(np.stack([sound()] * 2, 1)), r"shape \(16000, 2\) at 16000 Hz"),
        (FLAC, None, "2 sounds; expected 3"),
    ],
)
def test_broken_archives_are_refused(read, name, content, message: str) -> None:
    files = tree("dev-clean") | {name: content() if callable(content) else content}
    files = {key: value for key, value in files.items() if value is not None}
    with pytest.raises(SpecflowError, match=message):
        read(files)
