import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from specflow.config.errors import ParamsError
from specflow.config.params import load_params

TINY = Path(__file__).parents[2] / "presets" / "tiny.yaml"


def tiny_with(changes: dict[str, Any], remove: str | None = None) -> dict[str, Any]:
    """Return tiny.yaml after changes {dotted path: value}, and without a key."""
    data: dict[str, Any] = YAML(typ="safe").load(TINY)
    for path, value in copy.deepcopy(changes).items():
        section, key = _place(data, path)
        section[key] = value
    if remove:
        section, key = _place(data, remove)
        del section[key]
    return data


def _place(data: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, key = path.split(".")
    for parent in parents:
        data = data[parent]
    return data, key


@pytest.fixture
def problems_with(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that loads what `tiny_with` returns, and returns its problems."""

    def load(changes: dict[str, Any], remove: str | None = None) -> list[str]:
        target = tmp_path / "params.yaml"
        YAML(typ="safe").dump(tiny_with(changes, remove), target)
        try:
            load_params(target)
        except ParamsError as error:
            return error.problems
        return []

    return load
