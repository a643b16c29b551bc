"""Grouped convolutions are block-diagonal: told by modules, by channels, and decomposed as such."""

import pytest
import torch
from torch import nn

from specflow.spectra.block_diagonal import decompose_blocks
from specflow.wiring.modules import structure_of_module
from specflow.wiring.recognize import LayoutParams, wiring_of
from specflow.wiring.tensors import TensorInfo


def wiring_of_module(module, live):
    state = module.state_dict()
    infos = {name: TensorInfo(tuple(t.shape), t.dtype) for name, t in state.items()}
    return wiring_of(infos, LayoutParams(), structure_of_module(module) if live else None)


def by_identity(module, channels, size):
    """The matrix of a convolution without padding, one position: what it makes of every input."""
    inputs = torch.eye(channels * size**2).view(-1, channels, size, size)
    with torch.no_grad():
        return (module(inputs) - module(torch.zeros_like(inputs))).flatten(1).T


@pytest.mark.parametrize(("groups", "outputs"), [(1, 6), (2, 6), (3, 9), (6, 6), (6, 12)])
@pytest.mark.parametrize("transposed", [False, True])
def test_spectrum_is_that_of_what_the_convolution_does(groups, outputs, transposed):
    torch.manual_seed(groups)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = nn.Sequential(kind(6, outputs, 3, groups=groups))
    (matrix,) = wiring_of_module(module, live=True).matrices
    view = matrix.view
    assert view.groups == groups
    blocks = view.of(module[0].weight.detach()).unflatten(0, (groups, -1))
    found = decompose_blocks(blocks)
    if transposed:  # the matrix (outputs, inputs x kernel) of METHODS, block by block
        weight = module[0].weight.detach().unflatten(0, (groups, -1))
        expected = torch.block_diag(*(one.transpose(0, 1).flatten(1) for one in weight))
    else:
        expected = by_identity(module, 6, 3)
    assert (view.rows, view.columns) == expected.shape
    S = torch.linalg.svdvals(expected.double())
    torch.testing.assert_close(found.S, S[: len(found.S)], rtol=1e-6, atol=1e-7)
    assert not (S[len(found.S) :] > 1e-6).any()
    whole = torch.block_diag(*blocks).double()
    torch.testing.assert_close((found.U * found.S) @ found.Vh, whole, rtol=0, atol=1e-6)


def test_leading_vectors_are_those_of_all_blocks_together():
    blocks = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    few, every = decompose_blocks(blocks, 4), decompose_blocks(blocks)
    assert torch.equal(few.S, every.S)
    assert few.U.shape == (15, 4)
    assert few.Vh.shape == (4, 20)
    torch.testing.assert_close(abs(few.U.mT @ every.U[:, :4]), torch.eye(4, dtype=torch.float64))


def convnext(colours):
    def block(width):
        layers = {"conv_dw": nn.Conv2d(width, width, 7, groups=width), "norm": nn.LayerNorm(width)}
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        return nn.ModuleDict(layers | {"mlp": mlp})

    return nn.ModuleDict(
        {"stem": nn.Conv2d(colours, 16, 4), "blocks": nn.ModuleList([block(16), block(16)])}
    )


class ResNeXt(nn.Module):
    def __init__(self, colours):
        super().__init__()
        self.conv1 = nn.Conv2d(colours, 16, 7)
        self.layer1 = nn.Module()
        self.layer1.conv1 = nn.Conv2d(16, 32, 1)
        self.layer1.conv2 = nn.Conv2d(32, 32, 3, groups=4)
        self.layer1.conv3 = nn.Conv2d(32, 64, 1)
        self.fc = nn.Linear(64, 10)


def lenet(colours):
    return nn.Sequential(nn.Conv2d(colours, 6, 5), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.ReLU())


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("make", [convnext, ResNeXt, lenet])
def test_names_and_shapes_tell_the_groups_that_modules_have(make, colours):
    module = make(colours)
    live, alone = (wiring_of_module(module, live) for live in (True, False))
    groups = {m.name: m.view.groups for m in live.matrices}
    assert {m.name: m.view.groups for m in alone.matrices} == groups
    assert bool([note for note in alone.notes if "grouped" in note]) == (
        set(groups.values()) != {1}
    )
    assert not [note for note in live.notes if "grouped" in note]


def test_depthwise_convolution_is_one_row_of_its_kernel_a_channel():
    module = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8, bias=False))
    (matrix,) = wiring_of_module(module, live=True).matrices
    blocks = matrix.view.of(module[0].weight.detach()).unflatten(0, (8, -1))
    norms = module[0].weight.detach().flatten(1).double().norm(dim=1).sort(descending=True).values
    torch.testing.assert_close(decompose_blocks(blocks).S, norms, rtol=1e-9, atol=0)
