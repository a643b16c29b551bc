import pytest
import torch
from pydantic import TypeAdapter

from specflow.datasets.shapes import DataShape, ImageShape, SpeechShape, TokenShape
from specflow.models.network import Model, Network

TOKENS = TokenShape(num_tokens=6, length=3)
IMAGES = ImageShape(channels=3, size=32, num_classes=10)
SPEECH = SpeechShape(num_features=5, characters="abc")


class Models:
    """Seeded networks; transformers in float64 of width 32 over 6 tokens."""

    @staticmethod
    def build(kind: str, shape: DataShape, last: bool = False, **sizes: object) -> Network:
        torch.manual_seed(0)
        section = TypeAdapter(Model).validate_python({"kind": kind, **sizes})
        return section.build(shape, last_position_only=last)

    @classmethod
    def transformer(
        cls, num_blocks: int = 1, num_heads: int = 2, norm: str = "none", last: bool = False
    ) -> Network:
        sizes = {"num_blocks": num_blocks, "num_heads": num_heads, "norm": norm}
        model = cls.build("transformer", TOKENS, last, d_model=32, d_mlp=48, **sizes).double()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # torch starts some at zero, which would hide mistakes
                torch.nn.init.normal_(parameter, std=0.1)
        return model

    @classmethod
    def vgg(cls, depth: int = 16, width: int = 64) -> Network:
        return cls.build("vgg", IMAGES, depth=depth, width=width)

    @classmethod
    def mlp(cls, *hidden: int) -> Network:
        return cls.build("mlp", IMAGES, hidden=hidden)

    @classmethod
    def unet(cls, *channels: int) -> Network:
        shape = ImageShape(channels=1, size=28, num_classes=10)
        return cls.build("unet", shape, channels=channels, embedding_width=10, fourier_scale=30.0)

    @classmethod
    def lstm(cls, num_layers: int = 2, bidirectional: bool = True) -> Network:
        sizes = {"num_layers": num_layers, "hidden": 3, "bidirectional": bidirectional}
        return cls.build("lstm", SPEECH, **sizes)

    @classmethod
    def all(cls) -> list[Network]:
        return [
            cls.transformer(),
            cls.transformer(num_blocks=3, norm="layer"),
            *(cls.vgg(depth, width=2) for depth in (11, 13, 16, 19)),
            cls.mlp(8),
            cls.mlp(8, 6, 4),
            cls.unet(4, 8),
            cls.unet(4, 8, 12, 16),
            cls.lstm(num_layers=1),
            cls.lstm(num_layers=3, bidirectional=False),
        ]


@pytest.fixture
def models() -> type[Models]:
    return Models


@pytest.fixture
def sequences() -> torch.Tensor:
    """All 216 sequences of the 6 tokens, in random order: shape (216, 3)."""
    tokens = torch.cartesian_prod(*[torch.arange(6)] * 3)
    return tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))]
