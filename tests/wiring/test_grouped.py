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


class Bottleneck(nn.Module):
    """ResNeXt, whose groups are as wide as other layers write: the stem, and what squeezes."""

    def __init__(self, colours):
        super().__init__()
        self.conv1 = nn.Conv2d(colours, 8, 7)
        self.layer1 = nn.Module()
        self.layer1.conv1 = nn.Conv2d(8, 32, 1)
        self.layer1.conv2 = nn.Conv2d(32, 32, 3, groups=4)
        self.layer1.squeeze = nn.Conv2d(32, 8, 1)
        self.layer1.conv3 = nn.Conv2d(32, 64, 1)
        self.fc = nn.Linear(64, 8)


class Inverted(nn.Module):
    """MobileNet, whose pointwise layer writes as much as the depthwise one after it."""

    def __init__(self, colours):
        super().__init__()
        self.conv_stem = nn.Conv2d(colours, 16, 3)
        self.blocks = nn.ModuleList([nn.Module(), nn.Module()])
        for block in self.blocks:
            block.conv_pw = nn.Conv2d(16, 32, 1)
            block.conv_dw = nn.Conv2d(32, 32, 3, groups=32)
            block.conv_pwl = nn.Conv2d(32, 16, 1)


class WithNorms(nn.Module):
    """ConvNeXt V2, with scales of shape (1, 1, 1, width), and a last layer of one output."""

    def __init__(self, colours):
        super().__init__()
        self.stem = nn.Conv2d(colours, 16, 4)
        self.blocks = nn.ModuleList([nn.Module(), nn.Module()])
        for block in self.blocks:
            block.dwconv = nn.Conv2d(16, 16, 7, groups=16)
            block.grn = nn.Parameter(torch.ones(1, 1, 1, 16))
            block.pwconv1 = nn.Linear(16, 32)
        self.head = nn.Linear(16, 1)


class Branches(nn.Module):
    """RepVGG, whose first layer has branches that both read the data."""

    def __init__(self, colours):
        super().__init__()
        self.stem = nn.Module()
        self.stem.conv_1x1 = nn.Conv2d(max(colours, 3), 48, 1)
        self.stem.conv_kxk = nn.Conv2d(max(colours, 3), 48, 3)
        self.next = nn.Conv2d(48, 48, 3)


class CharacterCNN(nn.Module):
    def __init__(self, colours):
        super().__init__()
        self.embedding = nn.Embedding(100, 16)
        self.conv1 = nn.Conv1d(16, 64, 3)
        self.conv2 = nn.Conv1d(64, 128, 3)
        self.fc = nn.Linear(128, 4)


class SentenceCNN(nn.Module):
    """Kim (2014): branches of one channel, side by side."""

    def __init__(self, colours):
        super().__init__()
        self.embedding = nn.Embedding(100, 50)
        self.convs = nn.ModuleList(nn.Conv2d(1, 100, (size, 50)) for size in (3, 4, 5))
        self.fc = nn.Linear(300, 2)


class Whisper(nn.Module):
    """A first layer that reads 80 channels of sound and writes a multiple of them."""

    def __init__(self, colours):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.conv1 = nn.Conv1d(80, 160, 3)
        self.encoder.conv2 = nn.Conv1d(160, 160, 3)
        self.decoder = nn.Module()
        self.decoder.embed_tokens = nn.Embedding(50, 160)


class Mixer(nn.Module):
    """Mamba-2 in a transformer: the convolution reads a part of what the layer before writes."""

    def __init__(self, colours):
        super().__init__()
        self.embed_tokens = nn.Embedding(50, 16)
        self.layers = nn.ModuleList([nn.Module(), nn.Module()])
        for layer in self.layers:
            layer.mamba = nn.Module()
            layer.mamba.conv1d = nn.Conv1d(24, 24, 4, groups=24)
            layer.mamba.in_proj = nn.Linear(16, 44, bias=False)
            layer.mamba.out_proj = nn.Linear(16, 16, bias=False)


def lenet(colours):
    return nn.Sequential(nn.Conv2d(colours, 6, 5), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.ReLU())


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    "make",
    [
        *(convnext, ResNeXt, lenet, Bottleneck, Inverted, WithNorms, Branches),
        *(CharacterCNN, SentenceCNN, Whisper, Mixer),
    ],
)
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


def test_layers_of_a_separable_block_meet_in_the_order_of_its_kind():
    """MobileNet: first a depthwise layer in one kind of block, a pointwise one in the other."""
    separable, inverted = nn.Module(), nn.Module()
    for block in (separable, inverted):
        block.conv_dw = nn.Conv2d(16, 16, 3, groups=16)
        block.conv_pw = nn.Conv2d(16, 16, 1)
    inverted.conv_pwl = nn.Conv2d(16, 8, 1)
    net = nn.ModuleDict({"conv_stem": nn.Conv2d(3, 16, 3), "a": separable, "b": inverted})
    assert {pair.label for pair in wiring_of_module(net, live=False).pairs} == {
        "a.conv_dw -> a.conv_pw",
        "b.conv_pw -> b.conv_dw",
        "b.conv_dw -> b.conv_pwl",
    }
