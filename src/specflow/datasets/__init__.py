"""Datasets: each is prepared once into an HDF5 file, and loaded from it as tensors.

A further kind of dataset is one file beside the ones here, with a function `write`, and a case in
`prepare`.
"""

from pathlib import Path
from typing import assert_never

from specflow.datasets import (
    cifar10,
    digits,
    librispeech,
    mnist,
    modular_addition,
    reference_text,
    spoken_digits,
    wikitext,
)
from specflow.datasets.storage import Dataset, fingerprint, load, write_dataset
from specflow.params.datasets import (
    Cifar10Params,
    DatasetParams,
    DigitsParams,
    MnistParams,
    ModularAdditionParams,
    ReferenceTextParams,
    Wikitext103Params,
)
from specflow.params.speech import LibriSpeechParams, SpokenDigitsParams

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
            case MnistParams():
                mnist.write(params, writer)
            case Cifar10Params():
                cifar10.write(params, writer)
            case ReferenceTextParams():
                reference_text.write(params, writer)
            case Wikitext103Params():
                wikitext.write(params, writer)
            case SpokenDigitsParams():
                spoken_digits.write(params, writer)
            case LibriSpeechParams():
                librispeech.write(params, writer)
            case _:
                assert_never(params)
