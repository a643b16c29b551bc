import doctest
import importlib
from pathlib import Path
from types import FunctionType

import pytest

from specflow import spectra

MODULES = [
    "specflow.matrices",
    *(f"specflow.spectra.{path.stem}" for path in Path(spectra.__path__[0]).glob("[!_]*.py")),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_public_function_has_an_example():
    for name in spectra.__all__:
        value = getattr(spectra, name)
        if isinstance(value, FunctionType):
            assert ">>>" in value.__doc__, name
