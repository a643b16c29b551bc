import copy
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from specflow.config.params import CommonParams, load_params
from specflow.section_errors import ParamsError

TINY = Path(__file__).parents[2] / "presets" / "tiny.yaml"


def tiny_with(changes: dict[str, Any], remove: str | None = None) -> dict[str, Any]:
    """Return tiny.yaml after changes {dotted path: value}, and without a key."""
    data: dict[str, Any] = YAML(typ="safe").load(TINY)
    for path, value in copy.deepcopy(changes).items():
        *parents, key = path.split(".")
        reduce(getitem, parents, data)[key] = value
    if remove:
        *parents, key = remove.split(".")
        del reduce(getitem, parents, data)[key]
    return data


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., CommonParams]:
    """Return a function that loads what `tiny_with` returns."""

    def load(changes: dict[str, Any], remove: str | None = None) -> CommonParams:
        YAML(typ="safe").dump(tiny_with(changes, remove), tmp_path / "params.yaml")
        return load_params(tmp_path / "params.yaml")

    return load


@pytest.fixture
def problems_with(load: Callable[..., CommonParams]) -> Callable[..., list[str]]:
    """Return a function that returns the problems of what `tiny_with` returns."""

    def problems(changes: dict[str, Any], remove: str | None = None) -> list[str]:
        try:
            load(changes, remove)
        except ParamsError as error:
            return error.problems
        return []

    return problems
