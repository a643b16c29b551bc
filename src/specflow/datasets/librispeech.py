"""LibriSpeech: read English at 16 kHz (Panayotov et al. 2015), FLAC and transcripts in a tar.

Archives are read as streams, twice: transcripts may come after the sounds they belong to. Nothing
is extracted, and besides the features only one sound at a time is in memory.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from specflow.datasets.dataset import package_folder
from specflow.datasets.features import SAMPLE_RATE
from specflow.datasets.raw_files import RawFile, fetch, read_members
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.utterances import SpeechParams, Utterance, write_utterances
from specflow.errors import SpecflowError

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
_LARGEST = 2**24  # bytes of a member; the longest utterance has 1 MB
_MEMBER = r"LibriSpeech/[\w-]+/\d+/\d+/([\d-]+)\."  # and what it is


class LibriSpeechParams(SpeechParams):
    """LibriSpeech (Panayotov et al. 2015): train-clean-100, and dev-clean to validate on.

    Attributes:
        seed: Of the order of utterances.
    """

    kind: Literal["librispeech"]

    num_train: ClassVar[int] = 28_539  # utterances of train-clean-100
    num_validation: ClassVar[int] = 2703  # of dev-clean

    @property
    def mean_frames(self) -> float:
        """Estimate of the mean number of frames of a training utterance: 423.

        From the published 100.6 hours of train-clean-100 (Panayotov et al. 2015, table 1), at 100
        frames a second that are averaged in threes.
        """
        return 100.6 * 3600 * 100 / 3 / self.num_train

    def write(self, writer: DatasetWriter) -> None:
        """Write features and transcripts as `write_utterances` says, both in random order."""
        package_folder("soundfile", extra="speech")
        found = {split: fetch(archive) for split, archive in ARCHIVES.items()}
        for split, path in found.items():
            utterances = read_archive(path, self.num_samples(split))
            write_utterances(
                writer, split, utterances, logarithm=self.logarithm, order_seed=self.seed
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
    for match, text in read_members(path, _MEMBER + r"trans\.txt", _LARGEST):
        transcripts |= _transcripts(f"{path}: {match[1]}.trans.txt", text)
    number = 0
    for match, sound in read_members(path, _MEMBER + "flac", _LARGEST):
        name = match[1]
        if name not in transcripts:
            raise SpecflowError(f"{path}: {name}.flac has no transcript")
        number += 1
        yield Utterance(name, _samples(f"{path}: {name}.flac", sound), transcripts[name])
    if number != count:
        raise SpecflowError(f"{path}: {number} sounds; expected {count}")


def _transcripts(name: str, content: bytes) -> dict[str, str]:
    try:
        pairs = [line.split(" ", 1) for line in content.decode("ascii").splitlines()]
        return {utterance: text.strip().lower() for utterance, text in pairs}
    except ValueError as error:
        raise SpecflowError(f"{name}: expected lines of a name and a text") from error


def _samples(name: str, content: bytes) -> np.ndarray:
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
