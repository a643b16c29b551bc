from itertools import pairwise

import pytest
import torch
from torch import nn

# Channels over the first stage's; M is a 2x2 max-pool, A a 2x2 average pool.
LAYERS = {
    11: "1 M 2 M 4 4 M 8 8 M 8 8 A",
    13: "1 1 M 2 2 M 4 4 M 8 8 M 8 8 A",
    16: "1 1 M 2 2 M 4 4 4 M 8 8 8 M 8 8 8 A",
    19: "1 1 M 2 2 M 4 4 4 4 M 8 8 8 8 M 8 8 8 8 A",
}


@pytest.mark.parametrize("depth", LAYERS)
def test_layers_are_those_of_the_paper(models, depth):
    layers = []
    for module in models.build("vgg", depth=depth, width=3).features:
        match module:
            case nn.Conv2d(kernel_size=(3, 3), padding=(1, 1)):
                layers.append(str(module.out_channels // 3))
            case nn.MaxPool2d():
                layers.append("M")
            case nn.AvgPool2d():
                layers.append("A")
            case _:
                assert isinstance(module, nn.BatchNorm2d | nn.ReLU)
    assert " ".join(layers) == LAYERS[depth]


def test_depth_16_of_width_64_has_as_many_parameters_as_written_out(models):
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    convolutions = sum(b * (9 * a + 1) for a, b in pairwise(channels))
    batch_norms = sum(2 * b for b in channels[1:])
    expected = convolutions + batch_norms + 10 * (512 + 1)
    found = models.num_parameters("vgg", depth=16, width=64)
    assert found == expected == 14_728_266


@pytest.mark.parametrize("depth", LAYERS)
def test_logits_have_a_class_each_and_every_parameter_a_gradient(models, depth):
    model = models.build("vgg", depth=depth, width=2)
    logits = model(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_forward_matches_layers_called_by_hand(models):
    model = models.build("vgg", depth=11, width=2)
    images = torch.randn(3, 3, 32, 32)
    model(images)
    model.eval()
    x = images
    for module in model.features:
        if isinstance(module, nn.Conv2d):
            x = nn.functional.conv2d(x, module.weight, module.bias, padding=1)
        elif isinstance(module, nn.BatchNorm2d):
            mean, var = (v[:, None, None] for v in (module.running_mean, module.running_var))
            x = ((x - mean) / (var + module.eps).sqrt()).clamp(min=0)
        elif isinstance(module, nn.MaxPool2d):
            x = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))
        elif isinstance(module, nn.AvgPool2d):
            x = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))
    expected = x[:, :, 0, 0] @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


def test_pairs_are_a_chain(models):
    wiring = models.build("vgg", depth=11, width=1).wiring
    labels = [matrix.label for matrix in wiring.matrices]
    assert labels == [f"conv {i}" for i in range(1, 9)] + ["output"]
    expected = [f"{a} -> {b}" for a, b in pairwise(labels)]
    assert [pair.label for pair in wiring.pairs] == expected
