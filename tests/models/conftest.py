import pytest
import torch

from specflow.models.lstm import Lstm
from specflow.models.mlp import Mlp
from specflow.models.network import Network
from specflow.models.transformer import Transformer
from specflow.models.vgg import Vgg
from specflow.params.datasets import ImageShape, TokenShape
from specflow.params.models import LstmParams, MlpParams, TransformerParams, VggParams
from specflow.params.speech import SpeechShape

TOKENS = TokenShape(num_tokens=6, length=3)
IMAGES = ImageShape(channels=3, size=32, num_classes=10)


class Models:
    """Seeded networks; transformers in float64 of width 32 over 6 tokens."""

    @staticmethod
    def transformer(
        num_blocks: int = 1, num_heads: int = 2, norm: str = "none", last: bool = False
    ) -> Transformer:
        torch.manual_seed(0)
        params = TransformerParams.model_validate(
            {
                "kind": "transformer",
                "num_blocks": num_blocks,
                "d_model": 32,
                "num_heads": num_heads,
                "d_mlp": 48,
                "norm": norm,
            }
        )
        model = Transformer(params, TOKENS, last_position_only=last).double()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # torch starts some at zero, which would hide mistakes
                torch.nn.init.normal_(parameter, std=0.1)
        return model

    @staticmethod
    def vgg(depth: int = 16, width: int = 64) -> Vgg:
        torch.manual_seed(0)
        params = VggParams.model_validate({"kind": "vgg", "depth": depth, "width": width})
        return Vgg(params, IMAGES)

    @staticmethod
    def mlp(*hidden: int) -> Mlp:
        torch.manual_seed(0)
        return Mlp(MlpParams(kind="mlp", hidden=hidden), IMAGES)

    @staticmethod
    def lstm(num_layers: int = 2, bidirectional: bool = True) -> Lstm:
        torch.manual_seed(0)
        params = LstmParams(
            kind="lstm", num_layers=num_layers, hidden=6, bidirectional=bidirectional
        )
        return Lstm(params, SpeechShape(num_features=5, characters="abc"))

    @classmethod
    def all(cls) -> list[Network]:
        return [
            cls.transformer(),
            cls.transformer(num_blocks=3, norm="layer"),
            *(cls.vgg(depth, width=2) for depth in (11, 13, 16, 19)),
            cls.mlp(8),
            cls.mlp(8, 6, 4),
            cls.lstm(),
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
