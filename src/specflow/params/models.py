"""Model sections of params.yaml: sizes only; the shape of the data is added at building."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from specflow.params.datasets import DataShape, ImageShape
from specflow.section import Count, Positive, Section


class _Network(Section):
    reads: ClassVar[str]
    solves: ClassVar[tuple[str, ...]] = ("classification",)

    def check_shape(self, shape: DataShape) -> None:
        """Check that the model can read the data.

        Args:
            shape: Shape of a sample.

        Raises:
            ValueError: If the model reads another kind of data, or another size.
        """
        if shape.kind != self.reads:
            raise ValueError(f"reads {self.reads}; got a dataset of {shape.kind}")


class TransformerParams(_Network):
    """Pre-norm transformer of any number of blocks, with sinusoidal positions."""

    kind: Literal["transformer"]
    num_blocks: Count
    d_model: Count
    num_heads: Count
    d_mlp: Count
    norm: Literal["none", "layer"]
    reads: ClassVar[str] = "tokens"
    solves: ClassVar[tuple[str, ...]] = ("classification", "language_modelling")

    @model_validator(mode="after")
    def _dimensions_fit(self) -> "TransformerParams":
        if self.d_model % self.num_heads:
            raise ValueError(
                f"num_heads = {self.num_heads} does not divide d_model = {self.d_model}; "
                "expected a divisor"
            )
        if self.d_model % 2:
            raise ValueError(
                f"d_model = {self.d_model} is odd; sinusoidal positions need an even number"
            )
        return self


class VggParams(_Network):
    """VGG with BatchNorm in its CIFAR form; `width` is the number of channels at first."""

    kind: Literal["vgg"]
    depth: Literal[11, 13, 16, 19]
    width: Count
    reads: ClassVar[str] = "images"

    def check_shape(self, shape: DataShape) -> None:
        """Check that images have the size that five halvings bring to one pixel.

        Args:
            shape: Shape of a sample.

        Raises:
            ValueError: If the data are not images of 32 x 32 pixels.
        """
        super().check_shape(shape)
        if isinstance(shape, ImageShape) and shape.size != 32:
            raise ValueError(f"vgg reads images of 32 x 32 pixels; got {shape.size}")


class MlpParams(_Network):
    """Multi-layer perceptron with ReLU: `hidden` lists the width of every hidden layer."""

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    reads: ClassVar[str] = "images"


class UnetParams(_Network):
    """Noise-prediction UNet: `channels` lists the width of every level, from the images down.

    Attributes:
        channels: Multiples of 4; from 64 on multiples of 32, the number of groups of GroupNorm.
        embedding_width: Width of the time embedding, an even number.
        fourier_scale: Standard deviation of the frequencies of its Gaussian Fourier features.
    """

    kind: Literal["unet"]
    channels: Annotated[tuple[Count, ...], Field(strict=False, min_length=2)]
    embedding_width: Annotated[int, Field(ge=2, multiple_of=2)]
    fourier_scale: Positive
    reads: ClassVar[str] = "images"
    solves: ClassVar[tuple[str, ...]] = ("diffusion",)

    @model_validator(mode="after")
    def _groups_fit(self) -> "UnetParams":
        for width in self.channels:
            divisor = 4 if width < 64 else 32
            if width % divisor:
                raise ValueError(
                    f"channels has {width}, which does not make equal groups of GroupNorm; "
                    f"expected a multiple of {divisor}"
                )
        return self

    @staticmethod
    def stride(level: int) -> int:
        """Return the stride of the convolution of a level, counted from 0."""
        return 1 if level == 0 else 2

    def sizes(self, size: int) -> list[int]:
        """Return the pixels of a side that the convolution of every level reads, then writes.

        Args:
            size: Pixels of a side of the images.

        Returns:
            One number a level, and the size at the bottom as the last.
        """
        sizes = [size]
        for level in range(len(self.channels)):
            sizes.append((sizes[-1] - 3) // self.stride(level) + 1)
        return sizes

    def check_shape(self, shape: DataShape) -> None:
        """Check that images are large enough for so many levels.

        Args:
            shape: Shape of a sample.

        Raises:
            ValueError: If the data are not images, or too small.
        """
        super().check_shape(shape)
        if isinstance(shape, ImageShape) and self.sizes(shape.size)[-1] < 1:
            raise ValueError(
                f"unet of {len(self.channels)} levels reads no images of {shape.size} x "
                f"{shape.size} pixels; expected larger images or fewer levels"
            )


class LstmParams(_Network):
    """LSTM of `num_layers` layers of `hidden` units in each direction, for speech."""

    kind: Literal["lstm"]
    num_layers: Count
    hidden: Count
    bidirectional: bool
    reads: ClassVar[str] = "speech"
    solves: ClassVar[tuple[str, ...]] = ("ctc",)


ModelParams = Annotated[
    TransformerParams | VggParams | MlpParams | UnetParams | LstmParams, Field(discriminator="kind")
]
