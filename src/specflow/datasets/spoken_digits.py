"""Spoken digits: strings of digits, synthesized by espeak-ng in many voices, with white noise.

What makes them the same bytes each time: one new process of the synthesizer speaks all utterances
in a fixed order; random numbers are drawn from seeded streams, one for each utterance.
"""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from specflow.datasets import synthesizer
from specflow.datasets.dataset import package_folder
from specflow.datasets.features import SAMPLE_RATE
from specflow.datasets.storage import SPLITS, DatasetWriter, Split
from specflow.datasets.utterances import SpeechParams, Utterance, write_utterances
from specflow.errors import SpecflowError
from specflow.section import Count

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_ACCENTS = (
    "en-us",
    "en",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)

# Neither whispered or breathy ones, which draw random numbers, nor those that are sound effects.
_VARIANTS = """
    Alex Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario
    Michael Mike Nguyen adam anika antonio aunty belinda benjamin boris david ed edward
    edward2 f1 f4 grandma grandpa gustave iven iven2 iven3 iven4 john kaukovalta klatt2
    klatt4 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel mike2 norbert paul
    quincy rob robert steph travis zac
"""

# The voices of espeak-ng: variants, each with one accent.
VOICES = tuple(
    f"{_ACCENTS[index % len(_ACCENTS)]}+{variant}"
    for index, variant in enumerate(_VARIANTS.split())
)

# Streams of random numbers beside each other. None may end in 0: numpy takes no notice of it.
_STREAMS: dict[Split, int] = {"train": 1, "validation": 2}
_VOICE_STREAM = 3
_TEXT, _NOISE = 1, 2


@dataclass(frozen=True)
class Line:
    """What is said, by whom, and the ratio of the powers of speech and noise, in decibels."""

    voice: str
    text: str
    noise: float


class SpokenDigitsParams(SpeechParams):
    """Strings of spoken digits from the synthesizer espeak-ng; other voices to validate on.

    Attributes:
        num_train: Number of training utterances.
        num_validation: Number of validation utterances.
        num_digits: Least and greatest number of digits of an utterance.
        train_voices: Number of voices that the training utterances are spoken by.
        validation_voices: Number of other voices, which speak the validation utterances.
        noise: Least and greatest ratio of the powers of speech and white noise, in decibels.
        seed: Of digits, noise, and of which voice is in which part.
    """

    kind: Literal["spoken_digits"]
    num_train: Count
    num_validation: Count
    num_digits: Annotated[tuple[Count, Count], Field(strict=False)]
    train_voices: Count
    validation_voices: Count
    noise: Annotated[tuple[float, float], Field(strict=False)]

    @property
    def mean_frames(self) -> float:
        """Estimate of the mean number of frames of a training utterance.

        A line through the means of 240 utterances each of 1 to 12 digits in 48 voices, within 3% of
        every one of them.
        """
        return 3.4 + 9.0 * sum(self.num_digits) / 2

    @model_validator(mode="after")
    def _fits_together(self) -> "SpokenDigitsParams":
        for name in ("num_digits", "noise"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]; expected the smaller number first")
        total = self.train_voices + self.validation_voices
        if total > len(VOICES):
            raise ValueError(
                f"train_voices + validation_voices = {total}; expected at most {len(VOICES)}"
            )
        return self

    def write(self, writer: DatasetWriter) -> None:
        """Write features and transcripts as `write_utterances` says."""
        package_folder("espeakng_loader", extra="speech")
        parts = {split: lines(self, split) for split in SPLITS}
        # The synthesizer speaks the lines of both parts in one go, the second after the first.
        sounds = speak([line for part in parts.values() for line in part])
        for split, part in parts.items():
            utterances = _heard(self, split, part, sounds)
            write_utterances(writer, split, utterances, logarithm=self.logarithm)


def voices(params: SpokenDigitsParams, split: Split) -> tuple[str, ...]:
    """Return the voices of a part, which the other part has none of."""
    order = _generator(params, _VOICE_STREAM).permutation(len(VOICES))
    train, both = params.train_voices, params.train_voices + params.validation_voices
    chosen = order[:train] if split == "train" else order[train:both]
    return tuple(VOICES[index] for index in chosen)


def lines(params: SpokenDigitsParams, split: Split) -> list[Line]:
    """Return what is said in a part: voices take turns, all else is drawn uniformly.

    What a line says depends on the seed, its number and the range alone, so that a larger dataset
    starts with the lines of a smaller one.
    """
    script = []
    speakers = cycle(voices(params, split))
    for index in range(params.num_samples(split)):
        generator = _generator(params, _STREAMS[split], index, _TEXT)
        low, high = params.num_digits
        digits = generator.integers(10, size=generator.integers(low, high, endpoint=True))
        noise = float(generator.uniform(*params.noise))
        script.append(Line(next(speakers), " ".join(WORDS[digit] for digit in digits), noise))
    return script


def speak(script: list[Line]) -> Iterator[np.ndarray]:
    """Speak all lines in one new process of the synthesizer, which runs while they are taken.

    Yields:
        The samples of each line, shape (n,) int16, at the synthesizer's rate.

    Raises:
        SpecflowError: If the synthesizer fails.
    """
    # With -P a file beside the script cannot stand in for a module of that name.
    command = [sys.executable, "-P", str(Path(synthesizer.__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([[line.voice, line.text] for line in script]).encode())
        process.stdin.close()
        for line in script:
            header = process.stdout.read(8)
            length = struct.unpack("<q", header)[0] if len(header) == 8 else 0
            sound = process.stdout.read(length)
            if not length or len(sound) < length:
                raise SpecflowError(f"the synthesizer failed at {line.text!r} as {line.voice}")
            yield np.frombuffer(sound, dtype="<i2")


def _heard(
    params: SpokenDigitsParams, split: Split, script: list[Line], sounds: Iterator[np.ndarray]
) -> Iterator[Utterance]:
    """Yield the lines of a part at 16 kHz, with noise."""
    for index, line in enumerate(script):
        speech = resample(next(sounds))
        noise = _generator(params, _STREAMS[split], index, _NOISE).standard_normal(len(speech))
        name = f"{split} utterance {index} ({line.voice})"
        yield Utterance(name, add_noise(speech, noise, line.noise), line.text)


def resample(sound: np.ndarray) -> np.ndarray:
    """Return samples at 16 kHz, float64, of samples (n,) at the synthesizer's rate."""
    from scipy.signal import resample_poly  # here, since it loads slowly

    return resample_poly(sound.astype(np.float64), SAMPLE_RATE, synthesizer.SAMPLE_RATE)


def add_noise(speech: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    """Return speech (n,) and noise (n,), of mean power 1, with a ratio of powers in decibels."""
    return speech + noise * np.sqrt(np.mean(speech**2)) * 10 ** (-ratio / 20)


def _generator(params: SpokenDigitsParams, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([params.seed, *stream]))
