"""Docstrings and tables as Markdown."""

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

_HEADS = re.compile(r"^(Args|Attributes|Returns|Raises|Example):$", re.MULTILINE)


def escaped(text: str) -> str:
    """Return text in which nothing outside of backticks is emphasis, a tag or a cell's end."""
    plain, *rest = re.split(r"(`[^`]*`)", text)
    parts = [plain, *rest]
    parts[::2] = [re.sub(r"[*<|]|(?<!\w)_", r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in lines)


def anchor(heading: str) -> str:
    """Return the name by which a link finds a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def parts_of(value: Any) -> dict[str, str]:
    """Return the parts of a docstring by their heads, "Args" and so on; "" is what comes first."""
    first, *rest = _HEADS.split(inspect.cleandoc(value.__doc__ or ""))
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return {"": first.strip(), **{head: textwrap.dedent(text).strip() for head, text in pairs}}


def meanings(part: str) -> dict[str, str]:
    """Return what a part of a docstring says of each argument or attribute."""
    entries = (entry.partition(":") for entry in re.split(r"\n(?=\S)", part) if entry)
    return {name: " ".join(meaning.split()) for name, _, meaning in entries}


def reference(values: Iterable[Any]) -> str:
    """Return a section for each function and class, its public methods after it."""
    sections = []
    for value in values:
        own = vars(value).items() if inspect.isclass(value) else ()
        methods = [one for name, one in own if inspect.isfunction(one) and name[0] != "_"]
        sections += [_section(one) for one in (value, *methods) if one.__doc__]
    return "\n\n".join(sections)


def _section(value: Any) -> str:
    parts = parts_of(value)
    errors = meanings(parts.get("Raises", ""))
    lists = (meanings(parts.get(head, "")).items() for head in ("Attributes", "Args"))
    found = [
        f"### `{value.__qualname__}{_bare_signature(value)}`",
        escaped(parts[""]),
        *("\n".join(f"- `{name}`: {escaped(said)}" for name, said in one) for one in lists),
        f"*Returns:* {escaped(parts['Returns'])}" if "Returns" in parts else "",
        "\n".join(f"- *{name}:* {escaped(said)}" for name, said in errors.items()),
        f"```python\n{parts['Example']}\n```" if "Example" in parts else "",
    ]
    return "\n\n".join(part for part in found if part)


def _bare_signature(value: Any) -> inspect.Signature:
    signature = inspect.signature(value)
    bare = [
        one.replace(annotation=one.empty)
        for one in signature.parameters.values()
        if one.name != "self"
    ]
    return signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
