"""What lies beside the weights of a checkpoint and tells of them: config.json and its like."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specflow.errors import SpecflowError, one_line

MAX_BYTES = 10 * 2**20
TOLD_BY = ("config.json", "adapter_config.json")  # files that are read beside weights
_EXPECTED = "expected a JSON object, or no such file"


def json_beside(path: Path, name: str) -> Mapping[str, Any] | None:
    """Return what a JSON file in the folder of a checkpoint says; None if there is none.

    Args:
        path: A file of the checkpoint.
        name: "config.json", "adapter_config.json", ...

    Raises:
        SpecflowError: If it is there and no JSON object of at most 10 MiB.
    """
    place = path.parent / name
    text = _text_of(place)
    return None if text is None else object_in(str(place), text)


def object_in(place: str, text: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a file in `place` holds.

    Raises:
        SpecflowError: If it holds none of at most 10 MiB.
    """
    try:
        content = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError) as error:
        raise SpecflowError(f"{place}: broken ({one_line(error)}); {_EXPECTED}") from error
    if not isinstance(content, dict):
        raise SpecflowError(f"{place}: no object of at most {MAX_BYTES} bytes; {_EXPECTED}")
    return content


def _text_of(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecflowError(f"{path}: broken ({one_line(error)}); {_EXPECTED}") from error
