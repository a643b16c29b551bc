"""Errors of params.yaml in the words of params.yaml: path, value, expectation; all at once."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from specflow.errors import SpecflowError, shown
from specflow.section import KindSection

MOST_TOLD = 50
_LONGEST = 800
_NAME_EXPECTED = "not a legal name; expected lower-case letters, digits and _, a letter first"


class ParamsError(SpecflowError):
    """Everything that is wrong with params.yaml, one line an error."""

    def __init__(self, source: str, problems: list[str]) -> None:
        """Keep the problems of a file, one line each: path, value, expectation."""
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        more = len(problems) - MOST_TOLD
        told = [*map(_cut, problems[:MOST_TOLD]), *([f"and {more} more"] if more > 0 else [])]
        super().__init__("\n  ".join([f"{source} has {count}:", *told]))


def _cut(line: str) -> str:
    """Return a line without its middle if a key in it is very long."""
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]}...{line[-_LONGEST // 2 :]}"


class _Place(NamedTuple):
    keys: list[str]
    section: type[BaseModel] | None  # that the last key is one of
    annotation: Any  # of the value; None if the path leads nowhere


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    is_wanted: Callable[[list[str]], bool] = lambda keys: True,
) -> list[str]:
    """Return one line for each thing that pydantic found wrong.

    Args:
        error: What validation of `data` against `model` raised.
        model: The class of the section.
        data: The section as read from YAML.
        is_wanted: Whether an error is reported, by the keys of its path.

    Returns:
        Lines "path: got value; expected ...", in the order of the file's sections. A key that is
        missing is not told where another one is its misspelling, and told as that.
    """
    places = ((problem, _place(problem["loc"], model, data)) for problem in error.errors())
    found = [(problem, place) for problem, place in places if is_wanted(place.keys)]
    unknown = [place for problem, place in found if problem["type"] == "extra_forbidden"]
    meant = [[*place.keys[:-1], close] for place in unknown if (close := _meant_key(place))]
    return [
        _line(problem, place)
        for problem, place in found
        if problem["type"] != "missing" or place.keys not in meant
    ]


def _line(problem: Any, place: _Place) -> str:
    path = ".".join(place.keys)
    kind, value = problem["type"], problem["input"]
    if "[key]" in problem["loc"]:
        return f"{path.removesuffix('.[key]')}: {_NAME_EXPECTED}"
    if kind == "missing":
        return f"{path}: missing; expected a value"
    if kind == "extra_forbidden":
        return f"{path}: unknown key (value {shown(value)}); {_known_keys(place)}"
    if kind == "union_tag_not_found":
        return f"{path}.kind: missing; expected one of {_known_kinds(place.annotation)}"
    if kind == "union_tag_invalid":
        tags = problem["ctx"]["expected_tags"]
        return f"{path}.kind: got {shown(problem['ctx']['tag'])}; expected one of {tags}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    message = message.replace("a valid tuple", "a list")  # as YAML and Python have it
    if kind == "value_error" and isinstance(value, Mapping):
        return f"{path}: {message}"
    return f"{path}: got {shown(value)}; {message}"


def _place(location: tuple[int | str, ...], annotation: Any, data: Any) -> _Place:
    """Follow a path of pydantic's, which has the tags of variants between its keys."""
    keys: list[str] = []
    section = None
    for part in location:
        if isinstance(data, Mapping) and part not in data and data.get("kind") == part:
            continue  # a tag
        keys.append(str(part))
        if isinstance(data, list):  # the section class of its entries is found in the annotation
            data = data[part] if isinstance(part, int) and part < len(data) else None
            continue
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            section = _variant(annotation, data)
            field = section.model_fields.get(str(part)) if section else None
            annotation = field.annotation if field else None
        data = data.get(part) if isinstance(data, Mapping) else None
    return _Place(keys, section, annotation)


def _variants(annotation: Any) -> list[type[BaseModel]]:
    """Return the section classes that an annotation admits."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _variants(part)]


def _variant(annotation: Any, data: Any) -> type[BaseModel] | None:
    """Return the section class that `data` belongs to, by its `kind` where there are several."""
    variants = _variants(annotation)
    if len(variants) == 1:
        only = variants[0]
        comes_in_kinds = issubclass(only, KindSection) and not _tags_of(only)
        return only.of_data(data) if comes_in_kinds else only  # type: ignore[attr-defined]
    kind = data.get("kind") if isinstance(data, Mapping) else None
    return next((variant for variant in variants if kind in _tags_of(variant)), None)


def _tags_of(variant: type[BaseModel]) -> tuple[str, ...]:
    field = variant.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _known_keys(place: _Place) -> str:
    if place.section is None:
        return "expected no such key here"
    close = _meant_key(place)
    hint = f" (did you mean {close}?)" if close else ""
    return f"expected one of {', '.join(_keys_of(place.section))}{hint}"


def _meant_key(place: _Place) -> str | None:
    """Return the key of a section that an unknown one is like; None if none is."""
    known = _keys_of(place.section) if place.section else []
    return next(iter(difflib.get_close_matches(place.keys[-1], known, n=1)), None)


def _keys_of(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _known_kinds(annotation: Any) -> str:
    tags: list[str] = []
    for variant in _variants(annotation):
        tags += _tags_of(variant) or (variant.kinds() if issubclass(variant, KindSection) else ())
    return ", ".join(map(repr, tags))
