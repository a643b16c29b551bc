from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from specflow.datasets.shapes import ImageShape
from specflow.models.unet import TimeEmbedding

CHANNELS = (8, 12, 16, 20)


@pytest.mark.parametrize("size", range(24, 33))
def test_output_has_the_shape_of_the_images(models, size):
    shape = ImageShape(channels=3, size=size, num_classes=10)
    images = torch.randn(2, 3, size, size, dtype=torch.float64)
    model = models.unet(*CHANNELS, shape=shape)
    assert model(images, torch.rand(2)).shape == images.shape


def test_paper_size_has_as_many_parameters_as_written_out(models):
    widths, embedding = [64, 128, 256, 512], 512
    convolutions = sum(9 * a * b for a, b in pairwise([1, *widths]))
    levels = [*widths, 256, 128, 64]  # each has a time projection with bias, and a norm
    projections = sum((embedding + 1) * width for width in levels)
    norms = sum(2 * width for width in levels)
    time = (embedding + 1) * embedding
    expected = 2 * convolutions + projections + norms + time + 1  # the bias of the output
    with torch.device("meta"):
        model = models.unet(*widths, width=embedding)
    assert sum(p.numel() for p in model.parameters()) == expected == 4_085_505
    groups = [module.num_groups for module in model.modules() if isinstance(module, nn.GroupNorm)]
    assert groups == [4] + [32] * 6


def test_forward_matches_layers_called_by_hand(models):
    model = models.unet(*CHANNELS)
    w = dict(model.named_parameters())
    images = torch.randn(3, 1, 28, 28, dtype=torch.float64)
    times = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    angles = 2 * torch.pi * torch.outer(times, model.time.frequencies)
    features = torch.cat([angles.sin(), angles.cos()], dim=1)
    embedding = features @ w["time.linear.weight"].T + w["time.linear.bias"]
    embedding = embedding * embedding.sigmoid()

    def finish(name, hidden, groups):
        dense = embedding @ w[f"{name}.dense.weight"].T + w[f"{name}.dense.bias"]
        x = (hidden + dense[:, :, None, None]).unflatten(1, (groups, -1)).flatten(2)
        x = (x - x.mean(2, keepdim=True)) / (x.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
        x = x.view(hidden.shape)
        scale, shift = (w[f"{name}.norm.{key}"][:, None, None] for key in ("weight", "bias"))
        x = x * scale + shift
        return x * x.sigmoid()

    def conv(name, x, groups, stride=2):
        return finish(name, functional.conv2d(x, w[f"{name}.conv.weight"], stride=stride), groups)

    def tconv(name, x, groups, padding):
        weight = w[f"{name}.conv.weight"]
        out = functional.conv_transpose2d(x, weight, stride=2, output_padding=padding)
        return finish(name, out, groups)

    h1 = conv("down.0", images, 4, stride=1)
    h2 = conv("down.1", h1, 6)
    h3 = conv("down.2", h2, 8)
    h4 = conv("down.3", h3, 10)
    h = tconv("up.0", h4, 8, 0)
    h = tconv("up.1", h + h3, 6, 1)
    h = tconv("up.2", h + h2, 4, 1)
    expected = functional.conv_transpose2d(h + h1, w["output.weight"], w["output.bias"])
    torch.testing.assert_close(model(images, times), expected)


def test_every_parameter_has_a_gradient_and_frequencies_are_a_kept_buffer(models):
    model = models.unet(*CHANNELS)
    model(torch.randn(4, 1, 28, 28).double(), torch.rand(4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert "time.frequencies" in model.state_dict()
    assert "time.frequencies" not in dict(model.named_parameters())


def test_frequencies_have_the_scale_and_are_seeded_with_the_weights(models):
    wide = models.unet(4, 8, width=4000).time
    assert wide.frequencies.std().item() == pytest.approx(30, rel=0.1)
    assert torch.equal(models.unet(4, 8, width=4000).time.frequencies, wide.frequencies)
    torch.manual_seed(1)
    assert not torch.equal(TimeEmbedding(4000, 30.0).frequencies.double(), wide.frequencies)


@pytest.mark.parametrize("level", range(4))
def test_narrow_norms_do_not_cancel_the_time_of_any_level(models, level):
    model = models.unet(4, 8, 8, 8)
    for index, module in enumerate(model.down):
        if index != level:
            nn.init.zeros_(module.dense.weight)
    for module in model.up:
        nn.init.zeros_(module.dense.weight)
    image = torch.randn(1, 1, 28, 28).double().expand(2, -1, -1, -1)
    early, late = model(image, torch.tensor([0.1, 0.8]))
    assert (early - late).abs().max() > 1e-4


def test_pairs_are_those_of_the_paper(models):
    assert [pair.label for pair in models.unet(*CHANNELS).wiring.pairs] == [
        "conv 1 -> conv 2",
        "dense 1 -> conv 2",
        "conv 2 -> conv 3",
        "dense 2 -> conv 3",
        "conv 3 -> conv 4",
        "dense 3 -> conv 4",
        "conv 4 -> tconv 4",
        "dense 4 -> tconv 4",
        "tconv 4 -> tconv 3",
        "tconv 3 -> tconv 2",
        "tconv 2 -> output",
        "conv 1 -> output",
        "dense 1 -> output",
        "conv 2 -> tconv 2",
        "dense 2 -> tconv 2",
        "conv 3 -> tconv 3",
        "dense 3 -> tconv 3",
    ]


def test_transposed_are_the_convolutions_on_the_way_up(models):
    matrices = models.unet(*CHANNELS).wiring.matrices
    transposed = [matrix.name for matrix in matrices if matrix.view.transposed]
    assert transposed == [*(f"up.{i}.conv.weight" for i in range(3)), "output.weight"]
    assert [matrix.label for matrix in matrices] == [
        "time embedding",
        *(f"{kind} {i}" for i in (1, 2, 3, 4) for kind in ("conv", "dense")),
        *("tconv 4", "dense 5", "tconv 3", "dense 6", "tconv 2", "dense 7", "output"),
    ]


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ((6, 8), "channels has 6.*multiple of 4"),
        ((32, 72), "channels has 72.*multiple of 32"),
        ((8,), "at least 2 items"),
    ],
)
def test_widths_that_make_no_equal_groups_are_refused(models, channels, message):
    with pytest.raises(ValueError, match=message):
        models.unet(*channels)


def test_images_too_small_for_the_levels_are_refused(models):
    small = ImageShape(channels=1, size=16, num_classes=10)
    with pytest.raises(ValueError, match=r"unet of 4 levels reads no images of 16 x 16 pixels"):
        models.unet(8, 8, 8, 8, shape=small)
    models.unet(8, 8, 8, shape=small)
