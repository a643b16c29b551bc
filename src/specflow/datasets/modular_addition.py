"""Modular addition: every pair (a, b) of residues, to be mapped to (a + b) mod p."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from specflow.datasets.dataset import DatasetSection
from specflow.datasets.shapes import TokenShape
from specflow.datasets.storage import SPLITS, DatasetWriter
from specflow.section import Fraction, Seed


class ModularAdditionParams(DatasetSection):
    """All pairs (a, b) of residues with (a + b) mod `modulus`; a seeded share is to train on.

    Attributes:
        modulus: p; there are p^2 pairs.
        train_fraction: Share of the pairs to train on, rounded down.
        seed: Of the split, and of the order of both parts.
    """

    kind: Literal["modular_addition"]
    modulus: Annotated[int, Field(ge=2, le=10_000)]
    train_fraction: Fraction
    seed: Seed

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return int(self.modulus**2 * self.train_fraction)

    @property
    def num_validation(self) -> int:
        """Number of validation samples."""
        return self.modulus**2 - self.num_train

    @property
    def shape(self) -> TokenShape:
        """Shape of a sample: the tokens `a b =`."""
        return TokenShape(num_tokens=self.modulus + 1, length=3)

    @model_validator(mode="after")
    def _not_empty(self) -> "ModularAdditionParams":
        if self.num_train == 0:
            raise ValueError(
                f"train_fraction = {self.train_fraction} leaves no training pair out of "
                f"{self.modulus**2}; expected a larger fraction"
            )
        return self

    def write(self, writer: DatasetWriter) -> None:
        """Write all p^2 pairs, split at random (Power et al. 2022; paper, section on grokking).

        `inputs` (N, 3) int64 are the tokens `a b =`, where `=` is token p; `targets` (N,) int64
        are (a + b) mod p. Both parts are in random order.
        """
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(self.modulus**2)
        for split, pairs in zip(SPLITS, np.split(order, [self.num_train]), strict=True):
            first, second = np.divmod(pairs, self.modulus)
            inputs = np.stack([first, second, np.full_like(pairs, self.modulus)], axis=1)
            writer.append(split, "inputs", inputs)
            writer.append(split, "targets", (first + second) % self.modulus)
