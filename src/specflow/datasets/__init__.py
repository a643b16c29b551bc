"""Datasets: each is prepared once into an HDF5 file, and loaded from it as tensors.

A further kind of dataset is one file beside the ones here, with a function `write`, and a case in
`prepare`.
"""

from pathlib import Path
from typing import assert_never

from specflow.datasets import digits, modular_addition
from specflow.datasets.storage import Dataset, fingerprint, load, write_dataset
from specflow.params.datasets import DatasetParams, DigitsParams, ModularAdditionParams

__all__ = ["prepare", "load", "fingerprint", "Dataset"]


def prepare(params: DatasetParams, path: Path) -> None:
    """Make a dataset and write it as HDF5, with the same bytes whenever it is made.

    Args:
        params: What to make.
        path: Where the file goes; it appears there once it is complete.

    Raises:
        SpecflowError: If source data are missing or not the expected ones, or if the file cannot
            be written (a full disk); nothing is left of it.
    """
    with write_dataset(path, params) as writer:
        match params:
            case ModularAdditionParams():
                modular_addition.write(params, writer)
            case DigitsParams():
                digits.write(params, writer)
            case _:
                assert_never(params)
