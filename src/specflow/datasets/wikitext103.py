"""WikiText-103 raw: good and featured articles of Wikipedia (Merity et al. 2017)."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from specflow.datasets.download import RawFile, fetch
from specflow.datasets.storage import DatasetWriter
from specflow.datasets.tokenizers import build_tokenizer
from specflow.datasets.windows import WindowWriter, packed
from specflow.errors import SpecflowError
from specflow.params.datasets import Wikitext103Params

ARCHIVE = RawFile(
    name="wikitext-103-raw-v1.zip",
    size=191_984_949,
    sha256="91c00ae287f0d699e18605c84afc9e45c192bc6b7797ff8837e5474655a33794",
    urls=("https://wikitext.smerity.com/wikitext-103-raw-v1.zip",),
)
_PARTS = {"train": "wiki.train.raw", "validation": "wiki.valid.raw"}
# " = Title = " stands for an article, " = = Section = = " for a part of it.
_HEADING = re.compile(r" = (?!= ).*(?<! =) = \n")


def write(params: Wikitext103Params, writer: DatasetWriter) -> None:
    """Write windows of the published training and validation parts, in the published order.

    The arrays are those of `WindowWriter.write`. Metadata: `text_sha256` of the archive,
    `tokenizer` (JSON), `unigram_bits_per_byte` of the validation windows. The text is read in
    pieces, twice: to train the tokenizer, and to encode.

    Args:
        params: Tokens, length, numbers of windows, and whether letters are lower-cased.
        writer: Takes the arrays.

    Raises:
        SpecflowError: If the archive cannot be had or is not the expected one, or if there are
            fewer windows or tokens than the params want; the message says how many there are.
    """
    archive = fetch(ARCHIVE)

    def articles(split: str) -> Iterator[str]:
        return read_articles(archive, f"wikitext-103-raw/{_PARTS[split]}", params.lower_cased)

    tokenizer, unigram_bits = build_tokenizer(params.tokenizer, articles("train"))
    windows = WindowWriter(writer, tokenizer, unigram_bits)
    train = packed(articles("train"), tokenizer, params.length)
    windows.write("train", train, params.num_train_sequences)
    validation = packed(articles("validation"), tokenizer, params.length)
    baseline = windows.write("validation", validation, params.num_validation_sequences)
    writer.describe(
        {
            "text_sha256": ARCHIVE.sha256,
            "tokenizer": tokenizer.definition,
            "unigram_bits_per_byte": baseline,
        }
    )


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
    try:
        with zipfile.ZipFile(archive) as file, file.open(member) as raw:
            lines = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
            for article in _split_at_headings(lines):
                yield article.lower() if lower_cased else article
    except KeyError as error:
        raise SpecflowError(f"{archive}: there is no {member} in it") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise SpecflowError(f"{archive}: {member} cannot be read ({error})") from error


def _split_at_headings(lines: Iterator[str] | io.TextIOWrapper) -> Iterator[str]:
    """Yield articles; a heading stands after an empty line, where formulas (" = x = ") do not."""
    article: list[str] = []
    after_blank = True
    for line in lines:
        blank = not line.strip()
        if after_blank and _HEADING.fullmatch(line) and "".join(article).strip():
            yield "".join(article)
            article = []
        article.append(line)
        after_blank = blank
    if "".join(article).strip():
        yield "".join(article)
