"""What lies beside the weights of a checkpoint and tells of them: config.json and its like."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specflow.checkpoints.remote import RemoteStep
from specflow.errors import SpecflowError, one_line

_MAX_BYTES = 10 * 2**20
_EXPECTED = "expected a JSON object, or no such file"


def json_beside(path: Path | RemoteStep, name: str) -> Mapping[str, Any] | None:
    """Return what a JSON file in the folder of a checkpoint says; None if there is none.

    Args:
        path: A file of the checkpoint, or the checkpoint at a URL.
        name: "config.json", "adapter_config.json", ...

    Raises:
        SpecflowError: If it is there and no JSON object of at most 10 MiB.
    """
    if isinstance(path, RemoteStep):
        text = path.beside(name, _MAX_BYTES)
        place = f"{path}: {name}"
    else:
        text = _text_of(path.parent / name)
        place = str(path.parent / name)
    return None if text is None else _object_in(place, text)


def _text_of(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SpecflowError(f"{path}: broken ({one_line(error)}); {_EXPECTED}") from error


def _object_in(place: str, text: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(text) if len(text) <= _MAX_BYTES else None
    except (ValueError, RecursionError) as error:
        raise SpecflowError(f"{place}: broken ({one_line(error)}); {_EXPECTED}") from error
    if not isinstance(content, dict):
        raise SpecflowError(f"{place}: no object of at most {_MAX_BYTES} bytes; {_EXPECTED}")
    return content
