"""Spoken digits: strings of digits, synthesized by espeak-ng in many voices, with white noise.

What makes them the same bytes each time: one new process of the synthesizer speaks all utterances
in a fixed order; random numbers are drawn from seeded streams, one for each utterance.
"""

import json
import math
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specflow.datasets import synthesizer
from specflow.datasets.speech_extra import check_installed
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.utterances import Utterance, write_utterances
from specflow.datasets.voices import VOICES
from specflow.errors import SpecflowError
from specflow.params.speech import SpokenDigitsParams

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

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


def write(params: SpokenDigitsParams, writer: DatasetWriter) -> None:
    """Write features and transcripts as `write_utterances` says.

    Args:
        params: How many utterances, of what length, in how many voices, with how much noise.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If the extra `speech` is not installed, or the synthesizer fails.
    """
    check_installed("espeakng_loader")
    parts = {split: lines(params, split) for split in _STREAMS}
    # The synthesizer speaks the lines of both parts in one go, and the second part after the first.
    sounds = speak([line for part in parts.values() for line in part])
    for split, part in parts.items():
        utterances = _heard(params, split, part, sounds)
        write_utterances(writer, split, utterances, logarithm=params.logarithm)


def voices(params: SpokenDigitsParams, split: Split) -> tuple[str, ...]:
    """Return the voices of a part, which the other part has none of."""
    order = _generator(params, _VOICE_STREAM).permutation(len(VOICES))
    chosen = [VOICES[index] for index in order]
    if split == "validation":
        chosen = chosen[params.train_voices :][: params.validation_voices]
    return tuple(chosen[: params.train_voices] if split == "train" else chosen)


def lines(params: SpokenDigitsParams, split: Split) -> list[Line]:
    """Return what is said in a part: voices take turns, all else is drawn uniformly.

    What a line says depends on the seed, its number and the range alone, so that a larger dataset
    starts with the lines of a smaller one.
    """
    names = voices(params, split)
    count = params.num_train if split == "train" else params.num_validation
    return [_line(params, split, index, names[index % len(names)]) for index in range(count)]


def _line(params: SpokenDigitsParams, split: Split, index: int, voice: str) -> Line:
    generator = _generator(params, _STREAMS[split], index, _TEXT)
    low, high = params.num_digits
    digits = generator.integers(10, size=generator.integers(low, high, endpoint=True))
    noise = float(generator.uniform(*params.noise))
    return Line(voice, " ".join(WORDS[digit] for digit in digits), noise)


def speak(script: list[Line]) -> Iterator[np.ndarray]:
    """Speak all lines in one new process of the synthesizer, which runs while they are taken.

    Args:
        script: What is said.

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

    from specflow.datasets.features import SAMPLE_RATE

    common = math.gcd(SAMPLE_RATE, synthesizer.SAMPLE_RATE)
    up, down = SAMPLE_RATE // common, synthesizer.SAMPLE_RATE // common
    return resample_poly(sound.astype(np.float64), up, down)


def add_noise(speech: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    """Return speech with noise scaled so that their mean powers have a ratio.

    Args:
        speech: Shape (n,).
        noise: Shape (n,), of mean power 1.
        ratio: Power of the speech over that of the noise, in decibels.

    Returns:
        Shape (n,).
    """
    return speech + noise * np.sqrt(np.mean(speech**2)) * 10 ** (-ratio / 20)


def _generator(params: SpokenDigitsParams, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([params.seed, *stream]))
