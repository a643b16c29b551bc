"""Reading the settings of one stage from results/config.json (`specflow.config.resolved`)."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from specflow import paths
from specflow.errors import BrokenFileError, SpecflowError, one_of
from specflow.json_files import read_json
from specflow.section_errors import problems_of

ALL = "all"

_Settings = TypeVar("_Settings", bound=BaseModel)


def read_settings(stage: str, name: str, model: type[_Settings]) -> tuple[_Settings, str]:
    """Return the settings of a stage, and the hashes of the code that it runs as text.

    Args:
        stage: Name of the stage.
        name: What it is called for; "all" for a stage that is there once.
        model: The class of the settings.

    Raises:
        BrokenFileError: If the config is missing, damaged, or of another version.
        SpecflowError: If it lacks the entry.
    """
    entries: dict[str, Any] = read_json(paths.CONFIG, "resolve").get(stage, {})
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
        fault = f"{stage}.{name}: {problems}"
        raise BrokenFileError(paths.CONFIG, fault, "resolve") from error
