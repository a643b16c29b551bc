from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from specflow.config.errors import ParamsError
from specflow.config.params import load_params

TINY = Path(__file__).parents[2] / "presets" / "tiny.yaml"


@pytest.fixture
def problems_with(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the problems that tiny.yaml has after changes {dotted path: value}."""

    def load(changes: dict[str, object], remove: str | None = None) -> list[str]:
        yaml = YAML(typ="safe")
        data = yaml.load(TINY)
        for path, value in changes.items():
            *parents, key = path.split(".")
            section = data
            for parent in parents:
                section = section[parent]
            section[key] = value
        if remove:
            *parents, key = remove.split(".")
            section = data
            for parent in parents:
                section = section[parent]
            del section[key]
        target = tmp_path / "params.yaml"
        yaml.dump(data, target)
        try:
            load_params(target)
        except ParamsError as error:
            return error.problems
        return []

    return load
