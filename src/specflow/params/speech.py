"""Speech sections of params.yaml: spoken data sets, and the shape of their utterances."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from specflow.section import Count, Section, Seed

# What transcripts are written in: with the blank of CTC, 29 symbols as in the paper.
CHARACTERS = " 'abcdefghijklmnopqrstuvwxyz"
NUM_MELS = 40
# Voices that the synthesizer can be asked for (specflow.datasets.voices).
MAX_VOICES = 64


class SpeechShape(Section):
    """Utterances as frames of `num_features`, to be written down in `characters`.

    Symbol 0 is the blank of CTC; symbol i is character i - 1.
    """

    kind: Literal["speech"] = "speech"
    num_features: Count
    characters: str

    @property
    def num_symbols(self) -> int:
        """Number of symbols, the blank included."""
        return len(self.characters) + 1


class SpokenDigitsParams(Section):
    """Strings of spoken digits from the synthesizer espeak-ng; other voices to validate on.

    Attributes:
        num_train: Number of training utterances.
        num_validation: Number of validation utterances.
        num_digits: Least and greatest number of digits of an utterance.
        train_voices: Number of voices that the training utterances are spoken by.
        validation_voices: Number of other voices, which speak the validation utterances.
        noise: Least and greatest ratio of the powers of speech and white noise, in decibels.
        logarithm: Whether features are logarithms of mel energies, or the energies themselves.
        seed: Of digits, noise, and of which voice is in which part.
    """

    kind: Literal["spoken_digits"]
    num_train: Count
    num_validation: Count
    num_digits: Annotated[tuple[Count, Count], Field(strict=False)]
    train_voices: Count
    validation_voices: Count
    noise: Annotated[tuple[float, float], Field(strict=False)]
    logarithm: bool
    seed: Seed

    @property
    def shape(self) -> SpeechShape:
        """Shape of an utterance: 40 mel features a frame."""
        return SpeechShape(num_features=NUM_MELS, characters=CHARACTERS)

    @property
    def mean_frames(self) -> float:
        """Estimate of the mean number of frames of a training utterance.

        A line through the means of 240 utterances each of 1 to 12 digits in 48 voices, within 3% of
        every one of them.
        """
        return 3.4 + 9.0 * sum(self.num_digits) / 2

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "SpokenDigitsParams":
        for name in ("num_digits", "noise"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]; expected the smaller number first")
        return self

    @model_validator(mode="after")
    def _enough_voices(self) -> "SpokenDigitsParams":
        total = self.train_voices + self.validation_voices
        if total > MAX_VOICES:
            raise ValueError(
                f"train_voices + validation_voices = {total}; expected at most {MAX_VOICES}"
            )
        return self


class LibriSpeechParams(Section):
    """LibriSpeech (Panayotov et al. 2015): train-clean-100, and dev-clean to validate on.

    Attributes:
        logarithm: Whether features are logarithms of mel energies, or the energies themselves.
        seed: Of the order of utterances.
    """

    kind: Literal["librispeech"]
    logarithm: bool
    seed: Seed

    @property
    def num_train(self) -> int:
        """Number of utterances of train-clean-100."""
        return 28_539

    @property
    def num_validation(self) -> int:
        """Number of utterances of dev-clean."""
        return 2703

    @property
    def shape(self) -> SpeechShape:
        """Shape of an utterance: 40 mel features a frame."""
        return SpeechShape(num_features=NUM_MELS, characters=CHARACTERS)

    @property
    def mean_frames(self) -> float:
        """Estimate of the mean number of frames of a training utterance: 423.

        From the published 100.6 hours of train-clean-100 (Panayotov et al. 2015, table 1), at 100
        frames a second that are averaged in threes.
        """
        return 100.6 * 3600 * 100 / 3 / self.num_train
