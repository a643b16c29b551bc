"""VGG with BatchNorm in the form for 32 x 32 images (Simonyan & Zisserman 2015; CIFAR variant).

Five stages of 3x3 convolutions; a 2x2 max-pool after each of the first four, a 2x2 average pool
after the last, then one linear layer.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from specflow.datasets.shapes import DataShape, ImageShape
from specflow.models.network import ModelSection, Network
from specflow.section import Width
from specflow.wiring import chain

# Convolutions in each stage, by depth; a stage has 1, 2, 4, 8, 8 times the first one's channels.
_CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_WIDTHS = (1, 2, 4, 8, 8)


class VggParams(ModelSection):
    """VGG with BatchNorm in its CIFAR form.

    Attributes:
        depth: Number of weight layers.
        width: Channels of the first stage; the last has eight times as many.
    """

    kind: Literal["vgg"]
    depth: Literal[11, 13, 16, 19]
    width: Width
    reads: ClassVar[str] = "images"

    def check_shape(self, shape: DataShape) -> None:
        """Check that images have the size that five halvings bring to one pixel.

        Raises:
            ValueError: If the data are not images of 32 x 32 pixels.
        """
        super().check_shape(shape)
        if isinstance(shape, ImageShape) and shape.size != 32:
            raise ValueError(f"vgg reads images of 32 x 32 pixels; got {shape.size}")

    def _build(self, shape: ImageShape, last_position_only: bool) -> "Vgg":
        return Vgg(self, shape)


class Vgg(Network):
    """VGG-11, 13, 16 or 19 with BatchNorm."""

    def __init__(self, params: VggParams, shape: ImageShape) -> None:
        """Build the network with torch's default initialization."""
        super().__init__()
        layers: list[nn.Module] = []
        names: list[str] = []
        channels = shape.channels
        for stage, count in enumerate(_CONVOLUTIONS[params.depth]):
            width = params.width * _WIDTHS[stage]
            for _ in range(count):
                names.append(f"features.{len(layers)}.weight")
                layers += [
                    nn.Conv2d(channels, width, kernel_size=3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                ]
                channels = width
            layers.append(nn.AvgPool2d(2) if stage == 4 else nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, shape.num_classes)
        convolutions = [self.matrix(name, f"conv {i + 1}", "conv") for i, name in enumerate(names)]
        self.wiring = chain([*convolutions, self.matrix("classifier.weight", "output", "output")])

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, 32, 32)."""
        images = images.to(memory_format=torch.channels_last)  # halves the time on a CPU
        return self.classifier(self.features(images).flatten(1))
