"""Reading the settings of one stage from results/config.json (`specflow.config.resolved`)."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from specflow import paths
from specflow.config.errors import problems_of
from specflow.errors import SpecflowError

ALL = "all"

_Settings = TypeVar("_Settings", bound=BaseModel)


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """Return all resolved settings.

    Raises:
        SpecflowError: If there is no such file, or it is no JSON.
    """
    if not path.exists():
        raise SpecflowError(f"{path}: there is no such file; `dvc repro resolve` writes it")
    try:
        config: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    except ValueError as error:
        advice = "`dvc repro -f resolve` writes it anew"
        raise SpecflowError(f"{path}: is no JSON ({error}); {advice}") from error
    return config


def read_settings(stage: str, name: str, model: type[_Settings]) -> tuple[_Settings, str]:
    """Return the settings of a stage, and the hashes of the code that it runs as text.

    Args:
        stage: Name of the stage.
        name: What it is called for; "all" for a stage that is there once.
        model: The class of the settings.

    Raises:
        SpecflowError: If the config is missing, lacks the entry or is of another version.
    """
    entries = read_config(paths.CONFIG).get(stage, {})
    if name not in entries:
        expected = ", ".join(entries) or "none: there are none"
        raise SpecflowError(
            f"{stage}: got {name!r}; expected one of {expected} ({paths.CONFIG}, which "
            "`dvc repro resolve` writes from params.yaml)"
        )
    settings = dict(entries[name])
    code = json.dumps(settings.pop("code", {}), sort_keys=True)
    try:
        return model.model_validate_json(json.dumps(settings)), code
    except ValidationError as error:
        problems = "; ".join(problems_of(error, model, settings))
        where = f"{paths.CONFIG}: {stage}.{name}"
        raise SpecflowError(
            f"{where}: {problems}; `dvc repro -f resolve` writes it anew"
        ) from error
