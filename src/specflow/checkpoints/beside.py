"""What lies beside the weights of a checkpoint and tells of them: config.json and its like."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specflow.errors import SpecflowError, one_line

_MAX_BYTES = 10 * 2**20


def json_beside(path: Path, name: str) -> Mapping[str, Any] | None:
    """Return what a JSON file in the folder of a checkpoint says; None if there is none.

    Args:
        path: A file of the checkpoint.
        name: "config.json", "adapter_config.json", ...

    Raises:
        SpecflowError: If it is there and no JSON object of at most 10 MiB.
    """
    place = path.parent / name
    if not place.is_file():
        return None
    expected = "expected a JSON object, or no such file"
    try:
        with place.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        content = json.loads(text) if len(text) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise SpecflowError(f"{place}: broken ({one_line(error)}); {expected}") from error
    if not isinstance(content, dict):
        raise SpecflowError(f"{place}: no object of at most {_MAX_BYTES} bytes; {expected}")
    return content
