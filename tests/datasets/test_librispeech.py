import importlib.util
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from specflow.datasets import librispeech
from specflow.datasets.features import mel_features
from specflow.datasets.librispeech import LibriSpeechParams, read_archive
from specflow.datasets.storage import load
from specflow.datasets.utterances import CHARACTERS
from specflow.errors import SpecflowError

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("soundfile") is None,
    reason="needs the extra speech: pip install -c constraints.txt -e '.[speech]'",
)
PARAMS = LibriSpeechParams(kind="librispeech", logarithm=True, seed=0)
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


def packed(files: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@needs_extra
def test_utterances_are_sounds_with_their_transcripts(tmp_path: Path) -> None:
    found = list(read_archive(packed(tree("dev-clean"), tmp_path / "a.tar.gz"), 3))
    assert {u.name: u.text for u in found} == {k: v.lower() for k, v in TEXTS.items()}
    for place, utterance in enumerate(sorted(found)):
        assert np.array_equal(utterance.samples, sound(16_000 + 800 * place, place))


@needs_extra
def test_the_dataset_has_both_archives_in_random_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for archive, subset in (("train-clean-100", "train-clean-100"), ("dev-clean", "dev-clean")):
        packed(tree(subset), tmp_path / f"{archive}.tar.gz")
    monkeypatch.setattr(librispeech, "fetch", lambda file: tmp_path / file.name)
    for part in ("num_train", "num_validation"):
        monkeypatch.setattr(LibriSpeechParams, part, 3)
    orders = []
    for seed in range(3):
        PARAMS.model_copy(update={"seed": seed}).prepare(tmp_path / "data.h5")
        part = load(tmp_path / "data.h5").train
        texts = [
            "".join(CHARACTERS[symbol - 1] for symbol in row if symbol)
            for row in part["targets"].tolist()
        ]
        assert sorted(texts) == sorted(text.lower() for text in TEXTS.values())
        orders.append(texts)
        row = texts.index("it's a b")
        expected = mel_features(sound(16_800, 1), logarithm=True)
        assert np.array_equal(part["inputs"][row][: len(expected)].numpy(), expected)
        assert part["input_lengths"][row] == len(expected)
    assert orders[0] != orders[1] or orders[0] != orders[2]


FLAC = "LibriSpeech/dev-clean/19/198/19-198-0000.flac"
TRANSCRIPTS = "LibriSpeech/dev-clean/19/198/19-198.trans.txt"


@needs_extra
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (FLAC, b"fLaC but no more", r"19-198-0000\.flac: cannot be read"),
        (TRANSCRIPTS, b"19-198-0001 A\n", r"19-198-0000\.flac has no transcript"),
        (TRANSCRIPTS, b"19-198-0001\n", r"19-198\.trans\.txt: expected lines of a name and a text"),
        (FLAC, lambda: flac(sound(), 8000), r"shape \(16000,\) at 8000 Hz; expected one channel"),
        (FLAC, lambda: flac(np.stack([sound()] * 2, 1)), r"shape \(16000, 2\) at 16000 Hz"),
        (FLAC, b"0" * (2**24 + 1), "has 16777217 bytes; expected at most 16777216"),
        (FLAC, None, "2 sounds; expected 3"),
    ],
)
def test_broken_archives_are_refused(tmp_path: Path, name, content, message: str) -> None:
    files = tree("dev-clean") | {name: content() if callable(content) else content}
    files = {key: value for key, value in files.items() if value is not None}
    with pytest.raises(SpecflowError, match=message):
        list(read_archive(packed(files, tmp_path / "a.tar.gz"), 3))


@needs_extra
def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = packed(tree("dev-clean"), tmp_path / "a.tar.gz")
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(SpecflowError, match=r"a\.tar\.gz: cannot be read"):
        list(read_archive(path, 3))


@needs_extra
def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(TRANSCRIPTS)
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(SpecflowError, match=r"19-198\.trans\.txt is no plain file"):
        list(read_archive(path, 3))


def test_without_the_extra_the_message_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecflowError, match=r"package soundfile, .*`pip install -c .*\[speech\]'`"):
        PARAMS.prepare(tmp_path / "speech.h5")
