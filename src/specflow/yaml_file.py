"""Reading a YAML file of any origin: its size is known before anything is made of it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from specflow.errors import one_line

MOST_BYTES = 2**22
MOST_VALUES = 10**6  # with what aliases stand for
MOST_LEVELS = 50


def read_yaml(path: Path) -> Any:
    """Return what a file holds: mappings, lists, text and numbers.

    Raises:
        ValueError: If it cannot be read, is no YAML, or is larger or deeper than any params.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"has {size} bytes; expected at most {MOST_BYTES}")
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ValueError("there is no such file") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid YAML: {error}") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    try:
        _check_size(_Text(text, path))
        return YAML(typ="safe").load(_Text(text, path))
    except YAMLError as error:
        raise ValueError(f"is not valid YAML: {error}") from error
    except RecursionError as error:
        raise ValueError(f"is not valid YAML: {one_line(error)}") from error


class _Text(io.StringIO):
    """Text whose place errors name."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.name = str(path)


def _check_size(text: _Text) -> None:
    """Follow the events of a parser, which build nothing.

    Raises:
        ValueError: If values are nested too deep, or are too many once aliases are followed.
    """
    held = [0]  # number of values in each mapping or list that is open
    anchors: list[str | None] = []
    sizes: dict[str, int] = {}
    for event in _events(text):
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            held.append(1)
            anchors.append(event.anchor)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            size, anchor = held.pop(), anchors.pop()
            held[-1] += size
            if anchor is not None:
                sizes[anchor] = size
        elif kind in ("ScalarEvent", "AliasEvent"):
            held[-1] += sizes.get(event.anchor, 1) if isinstance(event, AliasEvent) else 1
        if len(held) > MOST_LEVELS:
            raise ValueError(f"has more than {MOST_LEVELS} levels of mappings and lists")
        if held[-1] > MOST_VALUES:
            raise ValueError(f"has more than {MOST_VALUES} values, aliases followed")


def _events(text: _Text) -> Iterator[Any]:
    return iter(YAML(typ="safe").parse(text))
