"""Multi-layer perceptron: linear layers with ReLU between them."""

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from specflow.datasets.shapes import ImageShape
from specflow.models.linear import Linear
from specflow.models.network import ModelSection, Network
from specflow.section import Width
from specflow.wiring import chain


class MlpParams(ModelSection):
    """Multi-layer perceptron with ReLU.

    Attributes:
        hidden: Width of every hidden layer, from the input on.
    """

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=1000)]
    reads: ClassVar[str] = "images"

    def _build(self, shape: ImageShape, last_position_only: bool) -> "Mlp":
        return Mlp(self, shape)


class Mlp(Network):
    """MLP on flattened images."""

    def __init__(self, params: MlpParams, shape: ImageShape) -> None:
        """Build the network with torch's default initialization."""
        super().__init__()
        widths = [shape.channels * shape.size**2, *params.hidden]
        self.layers = nn.ModuleList(Linear(a, b) for a, b in pairwise(widths))
        self.output = Linear(widths[-1], shape.num_classes)
        hidden = [
            self.matrix(f"layers.{i}.weight", f"linear {i + 1}", "linear")
            for i in range(len(self.layers))
        ]
        self.wiring = chain([*hidden, self.matrix("output.weight", "output", "output")])

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, size, size)."""
        hidden = images.flatten(1)
        for layer in self.layers:
            hidden = layer(hidden).relu()
        return self.output(hidden)
