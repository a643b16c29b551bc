"""Modular addition: every pair (a, b) of residues, to be mapped to (a + b) mod p."""

import numpy as np

from specflow.datasets.storage import DatasetWriter
from specflow.params.datasets import ModularAdditionParams


def write(params: ModularAdditionParams, writer: DatasetWriter) -> None:
    """Write all p^2 pairs, split at random (Power et al. 2022; paper, section on grokking).

    `inputs` (N, 3) int64 are the tokens `a b =`, where `=` is token p; `targets` (N,) int64 are
    (a + b) mod p. Both parts are in random order.

    Args:
        params: The modulus p, and how the pairs are split.
        writer: Takes the arrays.
    """
    modulus = params.modulus
    order = np.random.Generator(np.random.PCG64(params.seed)).permutation(modulus**2)
    first, second = np.divmod(order, modulus)
    inputs = np.stack([first, second, np.full_like(order, modulus)], axis=1)
    targets = (first + second) % modulus
    writer.append("train", "inputs", inputs[: params.num_train])
    writer.append("train", "targets", targets[: params.num_train])
    writer.append("validation", "inputs", inputs[params.num_train :])
    writer.append("validation", "targets", targets[params.num_train :])
