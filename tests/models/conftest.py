from typing import ClassVar

import pytest
import torch
from pydantic import TypeAdapter

from specflow.datasets.shapes import DataShape, ImageShape, SpeechShape, TokenShape
from specflow.models.network import Model, ModelSection, Network

TOKENS = TokenShape(num_tokens=6, length=3)
IMAGES = ImageShape(channels=3, size=32, num_classes=10)
DIGITS = ImageShape(channels=1, size=28, num_classes=10)
SPEECH = SpeechShape(num_features=5, characters="abc")


class Models:
    """Sections and seeded networks, each kind with data that it reads."""

    shapes: ClassVar[dict[str, DataShape]] = {
        "transformer": TOKENS,
        "vgg": IMAGES,
        "mlp": IMAGES,
        "unet": DIGITS,
        "lstm": SPEECH,
    }

    @staticmethod
    def section(kind: str, **sizes: object) -> ModelSection:
        return TypeAdapter(Model).validate_python({"kind": kind, **sizes})

    @classmethod
    def build(
        cls, kind: str, *, shape: DataShape | None = None, last: bool = False, **sizes: object
    ) -> Network:
        torch.manual_seed(0)
        section, shape = cls.section(kind, **sizes), shape or cls.shapes[kind]
        return section.build(shape, last_position_only=last)

    @classmethod
    def num_parameters(cls, kind: str, **given: object) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in cls.build(kind, **given).parameters())

    @classmethod
    def transformer(
        cls, num_blocks: int = 1, num_heads: int = 2, norm: str = "none", last: bool = False
    ) -> Network:
        """In float64, of width 32 over 6 tokens."""
        sizes = {"num_blocks": num_blocks, "num_heads": num_heads, "norm": norm}
        model = cls.build("transformer", last=last, d_model=32, d_mlp=48, **sizes).double()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # torch starts some at zero, which would hide mistakes
                torch.nn.init.normal_(parameter, std=0.1)
        return model

    @classmethod
    def unet(cls, *channels: int, width: int = 10, shape: DataShape = DIGITS) -> Network:
        """In float64."""
        sizes = {"channels": channels, "embedding_width": width, "fourier_scale": 30.0}
        return cls.build("unet", shape=shape, **sizes).double()

    @classmethod
    def lstm(cls, bidirectional: bool = True) -> Network:
        """In float64, of 2 layers of 3 hidden units."""
        return cls.build("lstm", num_layers=2, hidden=3, bidirectional=bidirectional).double()


@pytest.fixture
def models() -> type[Models]:
    return Models


@pytest.fixture
def sequences() -> torch.Tensor:
    """All 216 sequences of the 6 tokens, in random order: shape (216, 3)."""
    tokens = torch.cartesian_prod(*[torch.arange(6)] * 3)
    return tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))]
