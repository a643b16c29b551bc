"""WikiText-103 raw: good and featured articles of Wikipedia (Merity et al. 2017)."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from specflow.datasets.raw_files import RawFile, fetch, unpacking
from specflow.datasets.storage import DatasetWriter, Split
from specflow.datasets.text import Documents, TextParams, write_text
from specflow.errors import SpecflowError

ARCHIVE = RawFile(
    "wikitext-103-raw-v1.zip",
    191_984_949,
    "91c00ae287f0d699e18605c84afc9e45c192bc6b7797ff8837e5474655a33794",
    ("https://wikitext.smerity.com/wikitext-103-raw-v1.zip",),
)
_MEMBERS: dict[Split, str] = {
    "train": "wikitext-103-raw/wiki.train.raw",
    "validation": "wikitext-103-raw/wiki.valid.raw",
}
# " = Title = " stands for an article, " = = Section = = " for a part of it.
_HEADING = re.compile(r" = (?!= ).*(?<! =) = \n")


class Wikitext103Params(TextParams):
    """WikiText-103 raw (Merity et al. 2017) in its published split, from data/raw/.

    Attributes:
        lower_cased: Whether all letters become small ones.
    """

    kind: Literal["wikitext103"]
    lower_cased: bool

    def write(self, writer: DatasetWriter) -> None:
        """Write windows as `write_text` says, in the published order; text is read in pieces."""
        archive = fetch(ARCHIVE)
        parts: dict[Split, Documents] = {
            split: partial(read_articles, archive, member, self.lower_cased)
            for split, member in _MEMBERS.items()
        }
        write_text(self, writer, parts, text_sha256=ARCHIVE.sha256)


def read_articles(archive: Path, member: str, lower_cased: bool) -> Iterator[str]:
    """Yield the articles of a part, each from its heading to the next; nothing is unpacked.

    Args:
        archive: The zip file.
        member: Name of the part in it.
        lower_cased: Whether all letters become small ones.

    Yields:
        Text of an article, with its heading.

    Raises:
        SpecflowError: If the archive is broken, lacks the part, or is not in UTF-8.
    """
    with unpacking(f"{archive}: {member}"), zipfile.ZipFile(archive) as file:
        if member not in file.namelist():
            raise SpecflowError(f"{archive}: there is no {member} in it")
        with file.open(member) as raw:
            lines = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
            for article in _split_at_headings(lines):
                yield article.lower() if lower_cased else article


def _split_at_headings(lines: Iterable[str]) -> Iterator[str]:
    """Yield articles; a heading stands after an empty line, where formulas (" = x = ") do not."""
    article: list[str] = []
    after_blank = True
    for line in lines:
        if after_blank and _HEADING.fullmatch(line) and "".join(article).strip():
            yield "".join(article)
            article = []
        article.append(line)
        after_blank = not line.strip()
    if "".join(article).strip():
        yield "".join(article)
