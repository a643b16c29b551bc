import sys
from resource import RUSAGE_SELF, getrusage

import pytest
import torch

from specflow.datasets.shapes import ImageShape, SpeechShape, TokenShape
from specflow.models.network import ModelSection

TOKENS = TokenShape(num_tokens=7, length=3)
IMAGES = ImageShape(channels=1, size=32, num_classes=10)
SPEECH = SpeechShape(num_features=5, characters="abc")
TRANSFORMER = {"num_blocks": 1, "d_model": 8, "num_heads": 2, "d_mlp": 16, "norm": "none"}
UNET = {"embedding_width": 10, "fourier_scale": 30.0}
SIZES = [
    ("transformer", TRANSFORMER),
    ("transformer", TRANSFORMER | {"num_blocks": 3, "norm": "layer_final"}),
    *(("vgg", {"depth": depth, "width": 2}) for depth in (11, 13, 16, 19)),
    ("mlp", {"hidden": [8]}),
    ("mlp", {"hidden": [8, 6, 4]}),
    ("unet", UNET | {"channels": [4, 8]}),
    ("unet", UNET | {"channels": [4, 8, 12, 16]}),
    ("lstm", {"num_layers": 1, "hidden": 3, "bidirectional": True}),
    ("lstm", {"num_layers": 3, "hidden": 3, "bidirectional": False}),
]
each_model = pytest.mark.parametrize(("kind", "sizes"), SIZES)


def test_every_kind_is_tested_here():
    assert set(ModelSection.kinds()) == {kind for kind, _ in SIZES}


@each_model
def test_build_depends_on_the_global_seed_alone(models, kind, sizes):
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = models.section(kind, **sizes).build(models.shapes[kind])
        states.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@each_model
def test_wiring_is_of_all_parameters_with_two_or_more_dimensions_and_fits(models, kind, sizes):
    model = models.build(kind, **sizes)
    wiring = model.wiring
    assert models.section(kind, **sizes).wiring(models.shapes[kind]) == wiring
    expected = [name for name, p in model.named_parameters() if p.ndim >= 2]
    assert [matrix.name for matrix in wiring.matrices] == expected  # in order of depth
    assert [matrix.view.tensor for matrix in wiring.matrices] == expected
    assert all(pair.fits for pair in wiring.pairs)
    assert set(wiring.views) >= {matrix.view for matrix in wiring.matrices}
    for labelled in (wiring.matrices, wiring.pairs):
        assert len({one.label for one in labelled}) == len(labelled)


@each_model
def test_wiring_draws_no_random_number(models, kind, sizes):
    before = torch.get_rng_state()
    models.section(kind, **sizes).wiring(models.shapes[kind])
    assert torch.equal(torch.get_rng_state(), before)


def test_wiring_takes_no_memory_for_weights(models):
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    before = getrusage(RUSAGE_SELF).ru_maxrss
    models.section("mlp", hidden=[16_384] * 3).wiring(IMAGES)  # 2 GiB in float32
    assert (getrusage(RUSAGE_SELF).ru_maxrss - before) * unit < 2**29


@each_model
def test_output_layer_is_the_last_and_no_inner_one(models, kind, sizes):
    wiring = models.build(kind, **sizes).wiring
    *inner, output = wiring.matrices
    assert (output.role, output.label) == ("output", "output")
    assert list(wiring.inner) == inner


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("transformer", IMAGES, "reads tokens; got a dataset of images"),
        ("vgg", TOKENS, "reads images; got a dataset of tokens"),
        ("mlp", SPEECH, "reads images; got a dataset of speech"),
        ("unet", SPEECH, "reads images; got a dataset of speech"),
        ("lstm", TOKENS, "reads speech; got a dataset of tokens"),
        ("vgg", IMAGES.model_copy(update={"size": 28}), "32 x 32 pixels; got 28"),
    ],
)
def test_data_that_a_model_cannot_read_are_refused(models, kind, shape, message):
    with pytest.raises(ValueError, match=message):
        models.section(kind, **dict(SIZES)[kind]).build(shape)
