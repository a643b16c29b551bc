"""Errors of params.yaml in the words of params.yaml: path, value, expectation; all at once."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from specflow.errors import SpecflowError
from specflow.section import KindSection

_NAME_EXPECTED = "not a legal name; expected lower-case letters, digits and _, a letter first"


class ParamsError(SpecflowError):
    """Everything that is wrong with params.yaml, one line an error."""

    def __init__(self, source: str, problems: list[str]) -> None:
        """Keep the problems and build the message.

        Args:
            source: Name of the file.
            problems: One line each: path, value, expectation.
        """
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__("\n  ".join([f"{source} has {count}:", *problems]))


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
        Lines "path: got value; expected ...", in the order of the file's sections.
    """
    problems = ((problem, _keys(problem["loc"], data)) for problem in error.errors())
    return [_line(problem, model, data, keys) for problem, keys in problems if is_wanted(keys)]


def _line(problem: Any, model: type[BaseModel], data: Any, keys: list[str]) -> str:
    if "[key]" in problem["loc"]:
        return f"{'.'.join(keys[:-1])}: {_NAME_EXPECTED}"
    path = ".".join(keys)
    kind, value = problem["type"], problem["input"]
    if kind == "missing":
        return f"{path}: missing; expected a value"
    if kind == "extra_forbidden":
        return f"{path}: unknown key (value {value!r}); {_known_keys(model, data, keys)}"
    if kind == "union_tag_not_found":
        return f"{path}.kind: missing; expected {_known_kinds(model, data, keys)}"
    if kind == "union_tag_invalid":
        tags = problem["ctx"]["expected_tags"]
        return f"{path}.kind: got {problem['ctx']['tag']!r}; expected one of {tags}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if kind == "value_error" and isinstance(value, Mapping):
        return f"{path}: {message}"
    return f"{path}: got {value!r}; {message}"


def _keys(location: tuple[int | str, ...], data: Any) -> list[str]:
    """Drop what pydantic adds to a path: the tag of the variant that was chosen in a union."""
    keys: list[str] = []
    for part in location:
        if isinstance(data, Mapping) and part not in data and data.get("kind") == part:
            continue
        keys.append(str(part))
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            data = None
    return keys


def _annotation_at(annotation: Any, data: Any, keys: list[str]) -> Any:
    """Return the annotation of the value that a path leads to; None if it leads nowhere."""
    for key in keys:
        annotation = _step(annotation, data, key)
        data = _value_at(data, [key])
    return annotation


def _step(annotation: Any, data: Any, key: str) -> Any:
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if isinstance(data, list):
        return annotation  # the section class of its entries is found in it
    section = _variant(annotation, data)
    field = section.model_fields.get(key) if section else None
    return field.annotation if field else None


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


def _value_at(data: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(data, list):
            data = data[int(key)] if key.isdecimal() and int(key) < len(data) else None
        else:
            data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _known_keys(model: type[BaseModel], data: Any, keys: list[str]) -> str:
    annotation = _annotation_at(model, data, keys[:-1])
    section = _variant(annotation, _value_at(data, keys[:-1]))
    if section is None:
        return "expected no such key here"
    known = [field.alias or name for name, field in section.model_fields.items()]
    close = difflib.get_close_matches(keys[-1], known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"expected one of {', '.join(known)}{hint}"


def _known_kinds(model: type[BaseModel], data: Any, keys: list[str]) -> str:
    tags: list[str] = []
    for variant in _variants(_annotation_at(model, data, keys)):
        tags += _tags_of(variant) or (variant.kinds() if issubclass(variant, KindSection) else ())
    return "one of " + ", ".join(map(repr, tags))
