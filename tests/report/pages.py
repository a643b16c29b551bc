"""A page as its elements: what tests ask it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(" ".join(parts).split())

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Return every element in it with this tag and these attributes (class is css)."""
        wanted = {{"css": "class"}.get(name, name): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.tag == tag and wanted.items() <= child.attributes.items():
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def by_id(self, name: str) -> "Element":
        """Return the one section with this id."""
        (found,) = self.all("section", id=name)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack = [Element("", {})]
        self.faults: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].children.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_endtag(self, tag) -> None:
        if self.stack[-1].tag != tag:
            self.faults.append(f"</{tag}> closes <{self.stack[-1].tag}>")
        else:
            self.stack.pop()

    def handle_data(self, data) -> None:
        self.stack[-1].children.append(data)


def parse(html: str) -> Element:
    """Return the document; elements that are not closed, or not in turn, fail."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.faults == []
    assert len(builder.stack) == 1, [element.tag for element in builder.stack]
    return builder.stack[0]
