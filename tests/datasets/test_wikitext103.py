import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.datasets.builders import WIKITEXT, made, stand_in

from specflow.datasets import wikitext103
from specflow.datasets.wikitext103 import read_articles
from specflow.errors import SpecflowError

# Spaces, empty lines and " @-@ " as in the published files, whose first line is empty.
FIRST = (
    " = Valkyria Chronicles III = \n \n Senjō no Valkyria 3 : Unrecorded Chronicles is a tactical "
    "role @-@ playing game . \n \n = = Gameplay = = \n \n As with previous games , one moves . \n "
    "\n = = = Units = = = \n \n Units are of the Nameless . \n \n"
)
SECOND = " = Formula 1 = \n \n It has a speed v : \n = v \u00d7 t = \n of 3 @.@ 5 units . \n \n"
TRAIN = " \n" + FIRST + SECOND
VALIDATION = " \n = Homarus gammarus = \n \n Homarus gammarus , the European lobster , lives . \n"
TRAIN_MEMBER = "wikitext-103-raw/wiki.train.raw"

Placed = Callable[..., Path]


@pytest.fixture
def placed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Placed:
    """Puts an archive where the real one belongs, and takes it for the real one."""

    def place(
        train: str | bytes = TRAIN, *, leave_out: str = "", damage: slice | None = None
    ) -> Path:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, text in (("train", train), ("valid", VALIDATION), ("test", " \n")):
                if part != leave_out:
                    archive.writestr(f"wikitext-103-raw/wiki.{part}.raw", text)
        content = bytearray(packed.getvalue())
        if damage is not None:
            content[damage] = b"\xff" * len(content[damage])
        return stand_in(monkeypatch, wikitext103, "ARCHIVE", bytes(content))

    return place


def test_articles_begin_at_headings_of_the_first_level(placed: Placed) -> None:
    articles = list(read_articles(placed(), TRAIN_MEMBER, lower_cased=False))
    assert articles == [" \n" + FIRST, SECOND]
    lowered = "".join(read_articles(placed(), TRAIN_MEMBER, lower_cased=True))
    assert lowered == TRAIN.lower() != TRAIN


def test_both_parts_are_the_published_ones(placed: Placed) -> None:
    placed()
    dataset = made(WIKITEXT, Path("out"))
    for part, texts in (
        (dataset.train, [" \n" + FIRST, SECOND]),
        (dataset.validation, [VALIDATION]),
    ):
        stream = [token for text in texts for token in [256, *text.encode()]]
        rows = part["tokens"].tolist()
        assert rows == [stream[16 * i : 16 * i + 17] for i in range(len(rows))]
    assert len(dataset.train["tokens"]) == 15
    assert len(dataset.validation["tokens"]) == 4
    assert dataset.metadata["text_sha256"] == wikitext103.ARCHIVE.sha256


def test_missing_part_is_named(placed: Placed) -> None:
    placed(leave_out="valid")
    with pytest.raises(SpecflowError, match=r"raw-v1\.zip: there is no \S*wiki\.valid\.raw in it"):
        made(WIKITEXT, Path("out"))


@pytest.mark.parametrize(
    "broken",
    [
        {"train": TRAIN.encode() + b"\xe9 \n"},  # Latin-1
        {"damage": slice(80, 100)},  # the packed bytes of a part
        {"damage": slice(-22, None)},  # the table of contents
    ],
    ids=["not UTF-8", "damaged part", "no archive"],
)
def test_broken_archive_is_named(placed: Placed, broken: dict) -> None:
    placed(**broken)
    with pytest.raises(SpecflowError, match=r"raw-v1\.zip: \S*wiki\.train\.raw: cannot be read: "):
        made(WIKITEXT, Path("out"))
    assert list(Path("out").iterdir()) == []
