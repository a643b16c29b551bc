"""The JSON Schema of params.yaml, for editors: written from the models, never by hand."""

import json
from typing import Any

from specflow.config.params import INHERITED, params_model
from specflow.studies.study import kinds_of_studies
from specflow.training.settings import TrainingParams

FILE = "params.schema.json"
PARTIAL = "Partial"  # begins the name of a section that may lack keys, since it inherits them

_Schema = dict[str, Any]


def schema() -> _Schema:
    """Return the JSON Schema of a params.yaml.

    What a schema cannot express (sums, names that must exist, checks across sections) is left to
    `load_params`; it refuses no valid file.
    """
    found = params_model().model_json_schema(mode="validation")
    definitions = found["$defs"]
    for name, of_file in INHERITED.items():
        of_task = TrainingParams.model_fields if name == "experiments" else ()
        keys = (*of_file, *of_task)
        section = definitions[kinds_of_studies()[name].__name__]
        section["required"] = [key for key in section["required"] if key not in keys]
        for key in keys:
            section["properties"][key] = _partial(section["properties"][key], definitions)
    closed = json.loads(json.dumps(found), object_hook=_closed)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **closed}


def schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


def _partial(value: _Schema, definitions: _Schema) -> _Schema:
    """Return what a value may be of which the rest is inherited: a mapping without all its keys.

    Without its `kind`, it may be of any.
    """
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        section = dict(definitions[name])
        section.pop("required", None)
        own = section["properties"].items()
        section["properties"] = {key: _partial(one, definitions) for key, one in own}
        definitions[f"{PARTIAL}{name}"] = section
        return {**value, "$ref": f"#/$defs/{PARTIAL}{name}"}
    if options := value.get("oneOf") or value.get("anyOf"):
        return {"anyOf": [_partial(one, definitions) for one in options]}
    return value


def _closed(node: _Schema) -> _Schema:
    """Refuse names of entries that are not legal."""
    return node | {"additionalProperties": False} if "patternProperties" in node else node
