"""Model sections of params.yaml: sizes only; the shape of the data is added at building."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from specflow.params.base import Count, Section
from specflow.params.datasets import ImageShape, TokenShape


class _Network(Section):
    reads: ClassVar[str]

    def check_shape(self, shape: TokenShape | ImageShape) -> None:
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

    def check_shape(self, shape: TokenShape | ImageShape) -> None:
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


ModelParams = Annotated[TransformerParams | VggParams | MlpParams, Field(discriminator="kind")]
