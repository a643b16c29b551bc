import pytest
import torch
from pydantic import TypeAdapter

from specflow.datasets.shapes import ImageShape, SpeechShape, TokenShape
from specflow.models.network import Model, ModelSection, Network

TOKENS = TokenShape(num_tokens=7, length=3)
IMAGES = ImageShape(channels=1, size=32, num_classes=10)
SPEECH = SpeechShape(num_features=5, characters="abc")
SIZES = {
    "transformer": {"num_blocks": 2, "d_model": 8, "num_heads": 2, "d_mlp": 16, "norm": "none"},
    "vgg": {"depth": 11, "width": 2},
    "mlp": {"hidden": [4]},
    "unet": {"channels": [4, 8], "embedding_width": 4, "fourier_scale": 30.0},
    "lstm": {"num_layers": 2, "hidden": 3, "bidirectional": True},
}
SHAPES = {"transformer": TOKENS, "vgg": IMAGES, "mlp": IMAGES, "unet": IMAGES, "lstm": SPEECH}


def section(kind: str) -> ModelSection:
    return TypeAdapter(Model).validate_python({"kind": kind, **SIZES[kind]})


def test_every_kind_is_tested_here():
    assert set(ModelSection.kinds()) == set(SIZES)


@pytest.mark.parametrize("kind", SIZES)
def test_build_depends_on_the_global_seed_alone(kind):
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = section(kind).build(SHAPES[kind])
        assert isinstance(model, Network)
        states.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("kind", SIZES)
def test_wiring_of_a_section_is_that_of_its_network(kind):
    assert section(kind).wiring(SHAPES[kind]) == section(kind).build(SHAPES[kind]).wiring


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
def test_data_that_a_model_cannot_read_are_refused(kind, shape, message):
    with pytest.raises(ValueError, match=message):
        section(kind).build(shape)


def test_matrices_are_all_parameters_with_two_or_more_dimensions_in_order_of_depth(models):
    for model in models.all():
        expected = [name for name, p in model.named_parameters() if p.ndim >= 2]
        assert [matrix.name for matrix in model.wiring.matrices] == expected
        assert [matrix.view.tensor for matrix in model.wiring.matrices] == expected


def test_labels_are_unique(models):
    for model in models.all():
        for labelled in (model.wiring.matrices, model.wiring.pairs):
            labels = [one.label for one in labelled]
            assert len(set(labels)) == len(labels)


def test_output_layer_is_the_last_and_no_inner_one(models):
    for model in models.all():
        *inner, output = model.wiring.matrices
        assert (output.role, output.label) == ("output", "output")
        assert list(model.wiring.inner) == inner


def test_dimensions_of_all_pairs_meet(models):
    for model in models.all():
        assert all(pair.fits for pair in model.wiring.pairs)
        assert set(model.wiring.views) >= {matrix.view for matrix in model.wiring.matrices}
