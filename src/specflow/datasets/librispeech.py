"""LibriSpeech: read English at 16 kHz (Panayotov et al. 2015), FLAC and transcripts in a tar.

Archives are read as streams, twice: transcripts may come after the sounds they belong to. Nothing
is extracted, and besides the features only one sound at a time is in memory.
"""

import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from specflow.datasets.download import RawFile, fetch
from specflow.datasets.speech_extra import check_installed
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.utterances import Utterance, write_utterances
from specflow.errors import SpecflowError
from specflow.params.speech import LibriSpeechParams

_FOLDER = "https://www.openslr.org/resources/12/"
ARCHIVES: dict[Split, RawFile] = {
    "train": RawFile(
        "train-clean-100.tar.gz",
        6_387_309_499,
        "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
        (_FOLDER + "train-clean-100.tar.gz",),
    ),
    "validation": RawFile(
        "dev-clean.tar.gz",
        337_926_286,
        "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        (_FOLDER + "dev-clean.tar.gz",),
    ),
}
SAMPLE_RATE = 16_000  # Hz
_LARGEST = 2**24  # bytes of a member; the longest utterance has 1 MB
_MEMBER = re.compile(r"LibriSpeech/[\w-]+/\d+/\d+/([\d-]+)\.(flac|trans\.txt)")


def write(params: LibriSpeechParams, writer: DatasetWriter) -> None:
    """Write features and transcripts as `write_utterances` says, both parts in random order.

    Args:
        params: How features are made, and the seed of the order.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If the extra `speech` is not installed, or if an archive cannot be had or is
            not the expected one.
    """
    check_installed("soundfile")
    found = {split: fetch(archive) for split, archive in ARCHIVES.items()}
    counts: dict[Split, int] = {"train": params.num_train, "validation": params.num_validation}
    for split, path in found.items():
        write_utterances(
            writer,
            split,
            read_archive(path, counts[split]),
            logarithm=params.logarithm,
            order_seed=params.seed,
        )


def read_archive(path: Path, count: int) -> Iterator[Utterance]:
    """Read the utterances of an archive one by one.

    Args:
        path: The archive; verify its checksum first.
        count: Number of utterances that it must have.

    Yields:
        The utterances in the order of the archive, their transcripts in lower case.

    Raises:
        SpecflowError: If the archive is damaged, has another number of sounds, or has a sound that
            is not FLAC of one channel at 16 kHz, or has no transcript.
    """
    transcripts: dict[str, str] = {}
    for name, text in _members(path, "trans.txt"):
        transcripts |= _transcripts(f"{path}: {name}", text)
    number = 0
    for name, sound in _members(path, "flac"):
        if name not in transcripts:
            raise SpecflowError(f"{path}: {name}.flac has no transcript")
        number += 1
        yield Utterance(name, _samples(f"{path}: {name}.flac", sound), transcripts[name])
    if number != count:
        raise SpecflowError(f"{path}: {number} sounds; expected {count}")


def _members(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Read all members that have a suffix.

    Yields:
        Name, without folders and suffix, and content.

    Raises:
        SpecflowError: If the archive is damaged, or a member is no plain file or too large.
    """
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if match is not None and match[2] == suffix:
                    yield match[1], _content(archive, member, path)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise SpecflowError(f"{path}: cannot be read: {error}") from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise SpecflowError(f"{path}: {member.name} is no plain file")
    if member.size > _LARGEST:
        raise SpecflowError(
            f"{path}: {member.name} has {member.size} bytes; expected at most {_LARGEST}"
        )
    return file.read()


def _transcripts(name: str, content: bytes) -> dict[str, str]:
    """Return the transcripts of a chapter by name: lines of a name, a space and the text.

    Raises:
        SpecflowError: If a line is anything else.
    """
    try:
        pairs = [line.split(" ", 1) for line in content.decode("ascii").splitlines()]
        return {utterance: text.strip().lower() for utterance, text in pairs}
    except ValueError as error:
        raise SpecflowError(f"{name}.trans.txt: expected lines of a name and a text") from error


def _samples(name: str, content: bytes) -> np.ndarray:
    """Return the samples (n,) int16 of a sound.

    Raises:
        SpecflowError: If it is not FLAC of one channel at 16 kHz.
    """
    import soundfile  # here, since it is part of the extra

    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    except soundfile.LibsndfileError as error:
        raise SpecflowError(f"{name}: cannot be read: {error}") from error
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise SpecflowError(
            f"{name}: samples of shape {samples.shape} at {rate} Hz; "
            f"expected one channel at {SAMPLE_RATE} Hz"
        )
    return samples
