"""What a dataset tells a model: the shape of its samples."""

from typing import Annotated, Literal

from pydantic import Field

from specflow.section import Count, Section


class TokenShape(Section):
    """Sequences of `length` tokens out of `num_tokens`; one token is predicted at each position."""

    kind: Literal["tokens"] = "tokens"
    num_tokens: Count
    length: Count


class ImageShape(Section):
    """Images of shape (channels, size, size), each of one of `num_classes` classes."""

    kind: Literal["images"] = "images"
    channels: Count
    size: Count
    num_classes: Count


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


DataShape = Annotated[TokenShape | ImageShape | SpeechShape, Field(discriminator="kind")]
