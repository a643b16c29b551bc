"""Reading the settings of one stage from results/config.json (`specflow.config.resolved`)."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from specflow import paths
from specflow.config.errors import problems_of
from specflow.errors import SpecflowError, one_of

ALL = "all"

_Settings = TypeVar("_Settings", bound=BaseModel)


def read_settings(stage: str, name: str, model: type[_Settings]) -> tuple[_Settings, str]:
    """Return the settings of a stage, and the hashes of the code that it runs as text.

    Args:
        stage: Name of the stage.
        name: What it is called for; "all" for a stage that is there once.
        model: The class of the settings.

    Raises:
        SpecflowError: If the config is missing, lacks the entry or is of another version.
    """
    advice = "`dvc repro -f resolve` writes it anew"
    if not paths.CONFIG.exists():
        raise SpecflowError(f"{paths.CONFIG}: there is no such file; `dvc repro resolve` writes it")
    try:
        entries: dict[str, dict[str, Any]] = json.loads(paths.CONFIG.read_bytes()).get(stage, {})
    except ValueError as error:
        raise SpecflowError(f"{paths.CONFIG}: is no JSON ({error}); {advice}") from error
    if name not in entries:
        raise SpecflowError(
            f"{stage}: got {name!r}; {one_of(entries)} ({paths.CONFIG}, which `dvc repro resolve` "
            "writes from params.yaml)"
        )
    settings = entries[name]
    code = json.dumps(settings.pop("code", {}), sort_keys=True)
    try:
        return model.model_validate_json(json.dumps(settings)), code
    except ValidationError as error:
        problems = "; ".join(problems_of(error, model, settings))
        raise SpecflowError(f"{paths.CONFIG}: {stage}.{name}: {problems}; {advice}") from error
