"""JSON files of results, which hold a digest of themselves, checked when they are read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from specflow.errors import BrokenFileError, shown
from specflow.textfiles import write_text

_SEAL = "sha256"

_Content = TypeVar("_Content")


def write_json(path: Path, content: Mapping[str, Any], *, sort_keys: bool = False) -> None:
    """Write an object, with the digest of all else in it as its last value.

    Raises:
        SpecflowError: If the file cannot be written.
    """
    sealed = {**content, _SEAL: _digest(content)}
    write_text(path, json.dumps(sealed, indent=1, sort_keys=sort_keys) + "\n")


def read_json(path: Path, stage: str = "") -> dict[str, Any]:
    """Return what `write_json` wrote.

    Args:
        path: The file.
        stage: The stage that writes it where git tracks it, if it does.

    Raises:
        BrokenFileError: If there is no such file, or it is not what was written.
    """
    if not path.is_file():
        raise BrokenFileError(path, "there is no such file", stage)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(path, f"is no JSON ({error})", stage) from error
    if not isinstance(content, dict) or content.pop(_SEAL, None) != _digest(content):
        raise BrokenFileError(path, "damaged or edited: it is not what was written", stage)
    return content


def read_json_as(kind: type[_Content], path: Path, stage: str = "") -> _Content:
    """Return what `write_json` wrote, as a type that pydantic can check.

    Raises:
        BrokenFileError: As for `read_json`, and if it is of another version of specflow.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(read_json(path, stage)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "top level"
        fault = f"{place}: got {shown(first['input'])}; {first['msg']}"
        raise BrokenFileError(path, fault, stage) from error


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
