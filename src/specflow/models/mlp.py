"""Multi-layer perceptron: linear layers with ReLU between them."""

from itertools import pairwise

from torch import Tensor, nn

from specflow.models.network import Network
from specflow.models.wiring import Matrix, View, chain
from specflow.params.datasets import ImageShape
from specflow.params.models import MlpParams


class Mlp(Network):
    """MLP on flattened images."""

    def __init__(self, params: MlpParams, shape: ImageShape) -> None:
        """Build the network with torch's default initialization.

        Args:
            params: Widths of the hidden layers.
            shape: Shape of the images and number of classes.
        """
        super().__init__()
        widths = [shape.channels * shape.size**2, *params.hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(widths[-1], shape.num_classes)
        hidden = [
            Matrix(View(f"layers.{i}.weight"), f"linear {i + 1}") for i in range(len(self.layers))
        ]
        self.wiring = chain((*hidden, Matrix(View("output.weight"), "output")))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, size, size)."""
        hidden = images.flatten(1)
        for layer in self.layers:
            hidden = layer(hidden).relu()
        return self.output(hidden)
