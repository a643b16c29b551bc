"""Every section of params.yaml with its keys: types from the JSON Schema, meanings from docstrings.

A class is described where it is first met in the file; other places refer to that.
"""

import json
from collections.abc import Iterator
from typing import Any

from specflow.config.params import params_model
from specflow.config.schema import PARTIAL, schema
from specflow.docs.markdown import anchor, escaped, meanings, parts_of, table
from specflow.section import Section

_TYPES = {"integer": "whole number", "string": "text", "boolean": "true or false"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_NO_LIMIT = 2**31  # of seeds: none that a reader must know


def params() -> str:
    """Return a section with a table of keys for the whole file, and for each class in it."""
    whole = schema()
    places = {"": "The whole file"}
    _place(whole, "", whole["$defs"], places)
    classes = {one.__name__: one for one in (params_model(), *_subclasses(Section))}
    found = []
    for name, heading in places.items():
        definition = whole["$defs"][name] if name else whole
        found.append(_section(heading, classes[name or "Params"], definition, places))
    return "\n\n".join(found)


def _subclasses(base: type[Section]) -> Iterator[type[Section]]:
    for one in base.__subclasses__():
        yield one
        yield from _subclasses(one)


def _place(
    definition: dict[str, Any], path: str, all_of: dict[str, Any], places: dict[str, str]
) -> None:
    """Give every class that a section leads to the heading of the place where it is first met."""
    for key, value in definition.get("properties", {}).items():
        for place, name in _references(value, f"{path}.{key}".lstrip(".")):
            if name not in places:
                kind = all_of[name]["properties"].get("kind", {}).get("const")
                places[name] = f"`{place}`" + (f", kind `{kind}`" if kind else "")
                _place(all_of[name], place, all_of, places)


def _references(value: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield the classes that a value may be of, each with the path at which it then stands."""
    if "$ref" in value:
        yield place, _name_in(value)
    for one in (*value.get("oneOf", ()), *value.get("anyOf", ())):
        yield from _references(one, place)
    if "items" in value:
        yield from _references(value["items"], place)
    for one in value.get("patternProperties", {}).values():
        yield from _references(one, f"{place}.<name>")


def _name_in(value: dict[str, Any]) -> str:
    """Return the class of a section; one that may lack keys is described as one that may not."""
    return str(value["$ref"].rpartition("/")[2]).removeprefix(PARTIAL)


def _section(
    heading: str, found: type[Section], definition: dict[str, Any], places: dict[str, str]
) -> str:
    said, required = _meanings(found), definition.get("required", ())
    rows = [
        (
            f"`{key}`",
            _value(value, places) + ("" if key in required else _default(value)),
            escaped(value.get("description") or said.get(key, said.get(f"{key}_", ""))),
        )
        for key, value in definition["properties"].items()
        if not (key == "kind" and "const" in value)
    ]
    parts = [f"### {heading}", escaped(parts_of(found)[""])]
    return "\n\n".join(parts + ([table(("key", "value", "meaning"), rows)] if rows else []))


def _meanings(found: type[Section]) -> dict[str, str]:
    """Return what docstrings say of each key, those of base classes below its own."""
    said: dict[str, str] = {}
    for one in reversed(found.__mro__):
        said |= meanings(parts_of(one).get("Attributes", "")) if issubclass(one, Section) else {}
    return said


def _value(value: dict[str, Any], places: dict[str, str]) -> str:
    """Return in words what a value may be."""
    if "$ref" in value:
        heading = places[_name_in(value)]
        return f"[{heading.split(', kind ')[-1]}](#{anchor(heading)})"
    if options := value.get("oneOf") or value.get("anyOf"):
        return (" or " if len(options) < 3 else ", ").join(_value(one, places) for one in options)
    if "enum" in value or "const" in value:
        return " or ".join(f"`{choice}`" for choice in value.get("enum", [value.get("const")]))
    if value["type"] == "array":
        kinds = dict.fromkeys(_value(one, places) for one in value.get("prefixItems", ()))
        several = f"list of {value['maxItems']}: " if kinds else "list: "
        return several + (" and ".join(kinds) or _value(value["items"], places))
    if value["type"] == "object":
        (inner,) = value["patternProperties"].values()
        return f"by name: {_value(inner, places)}"
    if value["type"] == "null":
        return "`null`"
    limits = (
        f"{sign} {value[key]:g}"
        for key, sign in _LIMITS.items()
        if value.get(key, _NO_LIMIT) < _NO_LIMIT
    )
    return " ".join([_TYPES.get(value["type"], value["type"]), ", ".join(limits)]).strip()


def _default(value: dict[str, Any]) -> str:
    return f"; default `{json.dumps(value['default'])}`" if "default" in value else "; optional"
