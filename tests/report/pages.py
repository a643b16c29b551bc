"""A page as its elements: what tests ask it."""

from html.parser import HTMLParser
from pathlib import PurePath
from xml.etree.ElementTree import Element, TreeBuilder

from specflow import paths
from specflow.report.page import write_report

VOID = {"meta", "link", "img", "br"}


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tree, self.open = TreeBuilder(), []

    def handle_starttag(self, tag, attrs) -> None:
        self.tree.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.tree.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag
        self.tree.end(tag)

    def handle_data(self, data) -> None:
        self.tree.data(data)


def parse(html: str) -> Element:
    """Return the document; elements that are not closed, or not in turn, fail."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.open == []
    return builder.tree.close()


def written() -> Element:
    """Write the page of all results and return it."""
    write_report()
    return parse(paths.REPORT.read_text(encoding="utf-8"))


def section(page: Element, name: str) -> Element:
    """Return the one section with this id."""
    (found,) = page.iterfind(f".//section[@id='{name}']")
    return found


def text(element: Element) -> str:
    """Return all text in an element, with single spaces."""
    return " ".join(" ".join(element.itertext()).split())


def texts(element: Element, tag: str) -> list[str]:
    """Return the text of every element in it with this tag."""
    return [text(one) for one in element.iter(tag)]


def pictures(element: Element) -> list[str]:
    """Return the names of the files of all pictures in it, thumbnails of other figures too."""
    images = element.iter("img")
    named = (one.get("src") or f"{one.get('data-figure')}.png" for one in images)
    return [PurePath(name).name.removeprefix("figure-") for name in named]


def shown_in_full(element: Element) -> dict[str, str]:
    """Return the captions of the figures that it shows in full, by file."""
    full = (figure for figure in element.iter("figure") if "id" in figure.attrib)
    return {pictures(one)[0]: texts(one, "figcaption")[0] for one in full}
