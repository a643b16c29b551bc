import pytest
import torch

from specflow.models import Network, build_model, wiring_of
from specflow.params.datasets import ImageShape, TokenShape
from specflow.params.models import LstmParams, MlpParams, TransformerParams, UnetParams, VggParams
from specflow.params.speech import SpeechShape

TRANSFORMER = TransformerParams(
    kind="transformer", num_blocks=2, d_model=8, num_heads=2, d_mlp=16, norm="none"
)
VGG = VggParams(kind="vgg", depth=11, width=2)
MLP = MlpParams(kind="mlp", hidden=(4,))
UNET = UnetParams(kind="unet", channels=(4, 8), embedding_width=4, fourier_scale=30.0)
LSTM = LstmParams(kind="lstm", num_layers=2, hidden=3, bidirectional=True)
SPEECH = SpeechShape(num_features=5, characters="abc")
TOKENS = TokenShape(num_tokens=7, length=3)
IMAGES = ImageShape(channels=1, size=32, num_classes=10)
FITTING = [(TRANSFORMER, TOKENS), (VGG, IMAGES), (MLP, IMAGES), (UNET, IMAGES), (LSTM, SPEECH)]


@pytest.mark.parametrize(("params", "shape"), FITTING)
def test_build_model_depends_on_the_global_seed_alone(params, shape):
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = build_model(params, shape)
        assert isinstance(model, Network)
        states.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(("params", "shape"), FITTING)
def test_wiring_of_is_that_of_the_model(params, shape):
    assert wiring_of(params, shape) == build_model(params, shape).wiring


def test_last_position_only_drops_the_other_positions():
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    assert build_model(TRANSFORMER, TOKENS)(tokens).shape == (2, 3, 7)
    assert build_model(TRANSFORMER, TOKENS, last_position_only=True)(tokens).shape == (2, 7)


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        (TRANSFORMER, IMAGES, "reads tokens; got a dataset of images"),
        (VGG, TOKENS, "reads images; got a dataset of tokens"),
        (MLP, TOKENS, "reads images; got a dataset of tokens"),
        (MLP, SPEECH, "reads images; got a dataset of speech"),
        (LSTM, TOKENS, "reads speech; got a dataset of tokens"),
        (VGG, IMAGES.model_copy(update={"size": 28}), "32 x 32 pixels; got 28"),
    ],
)
def test_build_model_rejects_data_that_it_cannot_read(params, shape, message):
    with pytest.raises(ValueError, match=message):
        build_model(params, shape)
