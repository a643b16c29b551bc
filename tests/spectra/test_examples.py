import doctest
import importlib

import pytest

from specflow import spectra

MODULES = (
    "specflow.matrices",
    *(f"specflow.spectra.{n}" for n in ("agreement", "alignment", "decomposition", "directions")),
    "specflow.spectra.quantities",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_hold(name):
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_every_public_function_has_an_example():
    public = {name: getattr(spectra, name) for name in spectra.__all__}
    for name, value in public.items():
        if callable(value) and name.islower() and name not in ("quantity", "decompose_all"):
            assert ">>>" in value.__doc__, name
