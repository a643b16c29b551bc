"""Neighbours in plain sequences of layers, and in the blocks of convolutional networks."""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise, product

from specflow.wiring.wiring import Matrix, Pair, follow

# Layers of a block in the order in which it applies them (torchvision, timm, transformers). Of two
# orders that a block has, that of more layers counts, then the first.
_IN_BLOCKS = (
    ("conv1", "conv2", "conv3"),
    ("conv_dw", "conv_pw"),
    ("conv_pw", "conv_dw", "conv_pwl"),
    ("conv_dw", "mlp.fc1", "mlp.fc2"),
    ("dwconv", "pwconv1", "pwconv2"),
    ("block.0", "block.3", "block.5"),
    ("layer.0.convolution", "layer.1.convolution", "layer.2.convolution"),
    ("conv1.conv", "conv2.conv", "conv3.conv"),
    ("f.a.0", "f.b.0", "f.c.0"),
    ("expand_1x1.convolution", "conv_3x3.convolution", "reduce_1x1.convolution"),
    ("depthwise_conv.depthwise_conv", "projection.project_conv"),
    ("expansion.expand_conv", "depthwise_conv.depthwise_conv", "projection.project_conv"),
)
_SEQUENTIAL = ("features", "classifier")


def sequence_pairs(matrices: Iterable[Matrix], sequences: Sequence[Sequence[str]]) -> list[Pair]:
    """Return the pairs of layers that follow each other in modules that say so.

    Args:
        matrices: Whole matrices.
        sequences: Tensors in the order in which they are applied.
    """
    by_tensor = {matrix.view.tensor: matrix for matrix in matrices if not matrix.view.cuts}
    return _fitting([by_tensor.get(name) for name in names] for names in sequences)


def block_pairs(matrices: Iterable[Matrix]) -> list[Pair]:
    """Return the pairs of layers in blocks of convolutional networks that names tell of."""
    return _fitting(block_orders(matrices))


def block_orders(matrices: Iterable[Matrix]) -> list[Sequence[Matrix]]:
    """Return layers of blocks of convolutional networks that follow each other, as names tell.

    Where one is missing between two others, these do not follow each other.
    """
    by_name = {matrix.name: matrix for matrix in matrices if not matrix.view.cuts}
    orders: dict[str, Sequence[Matrix | None]] = {}
    for layers, name in product(_IN_BLOCKS, by_name):
        if name.endswith(f".{layers[0]}"):
            owner = name.removesuffix(layers[0])
            there = [by_name.get(owner + layer) for layer in layers]
            orders[owner] = max(orders.get(owner, []), there, key=lambda one: sum(map(bool, one)))
    return [run for order in orders.values() for run in _runs(order)]


def numbered_pairs(matrices: Iterable[Matrix], tensors: Collection[str]) -> list[Pair]:
    """Return the pairs of layers that are numbered one after the other.

    Numbers tell a sequence if some are left out (those of activations), or by the usual names of
    the whole; numbers in a row may be those of branches side by side.

    Args:
        matrices: Whole matrices.
        tensors: Names of all tensors: a bias alone tells of a layer whose weight is missing.
    """
    owners: dict[str, dict[int, Matrix | None]] = {}
    for name in tensors:
        match = re.fullmatch(r"(?:(.*)\.)?(\d+)\.bias", name)
        if match is not None and f"{name.removesuffix('bias')}weight" not in tensors:
            owners.setdefault(match[1] or "", {})[int(match[2])] = None
    for matrix in matrices:
        match = re.fullmatch(r"(?:(.*)\.)?(\d+)", matrix.name)
        if match is not None and not matrix.view.cuts:
            owners.setdefault(match[1] or "", {})[int(match[2])] = matrix
    chains = [
        [numbered[number] for number in sorted(numbered)]
        for owner, numbered in owners.items()
        if max(numbered) - min(numbered) >= len(numbered) or owner.rpartition(".")[2] in _SEQUENTIAL
    ]
    return _fitting(chains)


def _fitting(chains: Iterable[Sequence[Matrix | None]]) -> list[Pair]:
    runs = (run for chain in chains for run in _runs(chain))
    pairs = (follow(a, b) for run in runs for a, b in pairwise(run))
    return [pair for pair in pairs if pair.fits]


def _runs(chain: Sequence[Matrix | None]) -> list[list[Matrix]]:
    """Return the parts of a chain in which nothing is missing."""
    runs: list[list[Matrix]] = [[]]
    for matrix in chain:
        if matrix is None:
            runs.append([])
        else:
            runs[-1].append(matrix)
    return [run for run in runs if run]
