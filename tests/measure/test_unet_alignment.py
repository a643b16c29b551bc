"""Alignment of the UNet's pairs against a slow version written from the definition."""

import numpy as np
import pytest
import torch
from specflow.datasets.shapes import ImageShape

from specflow.models.unet import UnetParams
from specflow.spectra import alignment, decompose_all

CHANNELS = (8, 12, 16, 20)


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    params = UnetParams(kind="unet", channels=CHANNELS, embedding_width=10, fourier_scale=30.0)
    return params.build(ImageShape(channels=1, size=28, num_classes=10))


def paper_names(unet):
    """The layers of the paper: conv1..4, dense1..4 and tconv4..1, as arrays."""
    down, up = list(unet.down), list(unet.up)
    layers = {f"conv{i + 1}": level.conv for i, level in enumerate(down)}
    layers |= {f"dense{i + 1}": level.dense for i, level in enumerate(down)}
    layers |= {f"tconv{4 - i}": level.conv for i, level in enumerate(up)}
    layers["tconv1"] = unet.output
    return {name: layer.weight.detach().double().numpy() for name, layer in layers.items()}


def slow_alignment(previous, following, transposed):
    """|<v_i of following at the centre, u_j of previous>|, entry by entry, at most 10 x 10.

    `previous` is a matrix of outputs x inputs. A kernel that is not transposed has its outputs
    first, a transposed one its inputs.
    """
    kernel = np.swapaxes(following, 0, 1) if transposed else following
    outputs, inputs, height, width = kernel.shape
    U = np.linalg.svd(previous, full_matrices=False)[0]
    V = np.linalg.svd(kernel.reshape(outputs, -1), full_matrices=False)[2]
    V = V.reshape(len(V), inputs, height, width)
    rows, columns = min(10, len(V)), min(10, U.shape[1])
    found = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            for c in range(inputs):
                found[i, j] += V[i, c, height // 2, width // 2] * U[c, j]
    return abs(found)


def outputs_by_inputs(name, weights):
    weight = weights[name]
    if name.startswith("tconv"):
        weight = np.swapaxes(weight, 0, 1)
    return weight.reshape(len(weight), -1)


PAPER_PAIRS = [
    *(("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "conv4"), ("conv4", "tconv4")),
    *(("tconv4", "tconv3"), ("tconv3", "tconv2"), ("tconv2", "tconv1")),
    *(("dense1", "conv2"), ("dense2", "conv3"), ("dense3", "conv4"), ("dense4", "tconv4")),
    *((f"conv{i}", f"tconv{i}") for i in (1, 2, 3)),
    *((f"dense{i}", f"tconv{i}") for i in (1, 2, 3)),
]


def label_of(pair):
    return " -> ".join("output" if name == "tconv1" else f"{name[:-1]} {name[-1]}" for name in pair)


@pytest.mark.parametrize("pair", PAPER_PAIRS, ids=" -> ".join)
def test_alignment_of_every_pair_matches_the_slow_version(unet, pair):
    weights = {name: p.detach() for name, p in unet.named_parameters()}
    matrices = {view: view.of(weights[view.tensor]) for view in unet.wiring.views}
    decomposed = decompose_all(matrices, 10, 1)
    (declared,) = (p for p in unet.wiring.pairs if p.label == label_of(pair))
    (meeting,) = declared.meetings
    found = alignment(
        decomposed[meeting.previous],
        decomposed[meeting.following],
        previous_side=meeting.previous_side,
        following_side=meeting.following_side,
        kernel=meeting.kernel,
    )
    named = paper_names(unet)
    expected = slow_alignment(
        outputs_by_inputs(pair[0], named), named[pair[1]], pair[1].startswith("tconv")
    )
    assert found.shape == expected.shape
    assert found.numpy() == pytest.approx(expected, abs=1e-4)


def test_untransposed_kernels_would_give_other_numbers(unet):
    """The negative control: with inputs as rows the dimensions do not meet."""
    named = paper_names(unet)
    wrong = named["tconv4"].reshape(len(named["tconv4"]), -1)
    right = outputs_by_inputs("tconv4", named)
    assert wrong.shape == (20, 16 * 9)
    assert right.shape == (16, 20 * 9)
