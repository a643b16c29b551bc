"""The JSON Schema of params.yaml, for editors: written from the models, never by hand."""

import json
from typing import Any

from specflow.config.params import params_model

FILE = "params.schema.json"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a params.yaml.

    What a schema cannot express (sums, names that must exist, checks across sections) is left to
    `load_params`; it refuses no valid file.
    """
    found = params_model().model_json_schema(mode="validation")
    _loosen_experiments(found)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


def _loosen_experiments(found: dict[str, Any]) -> None:
    """Let experiments leave out what their task says: of all keys they must name these two."""
    definitions = found["$defs"]
    experiment = definitions["ExperimentParams"]
    experiment["required"] = ["task", "dataset"]
