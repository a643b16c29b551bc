import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from specflow import paths
from specflow.datasets import wikitext103
from specflow.datasets.download import RawFile
from specflow.datasets.storage import Data, load
from specflow.datasets.wikitext103 import Wikitext103Params, read_articles
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


def params(**changed: object) -> Wikitext103Params:
    values = {
        "kind": "wikitext103",
        "tokenizer": {"kind": "bytes"},
        "length": 16,
        "num_train_sequences": 15,
        "num_validation_sequences": 4,
        "lower_cased": False,
    }
    return Wikitext103Params.model_validate(values | changed)


Placed = Callable[..., Path]


@pytest.fixture
def placed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Placed:
    """Puts an archive where the real one belongs, and takes it for the real one."""

    def place(
        train: str | bytes = TRAIN, *, leave_out: str = "", damage: slice | None = None
    ) -> Path:
        path = paths.raw_data() / "wikitext-103-raw-v1.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, text in (("train", train), ("valid", VALIDATION), ("test", " \n")):
                if part != leave_out:
                    archive.writestr(f"wikitext-103-raw/wiki.{part}.raw", text)
        if damage is not None:
            data = bytearray(path.read_bytes())
            data[damage] = b"\xff" * len(data[damage])
            path.write_bytes(data)
        content = path.read_bytes()
        found = RawFile(path.name, len(content), hashlib.sha256(content).hexdigest(), ())
        monkeypatch.setattr(wikitext103, "ARCHIVE", found)
        return path

    return place


def made(config: Wikitext103Params) -> Data:
    config.prepare(Path("out/text.h5"))
    return load(Path("out/text.h5"))


def test_articles_begin_at_headings_of_the_first_level(placed: Placed) -> None:
    articles = list(read_articles(placed(), TRAIN_MEMBER, lower_cased=False))
    assert articles == [" \n" + FIRST, SECOND]
    lowered = "".join(read_articles(placed(), TRAIN_MEMBER, lower_cased=True))
    assert lowered == TRAIN.lower() != TRAIN


def test_both_parts_are_the_published_ones(placed: Placed) -> None:
    placed()
    dataset = made(params())
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


def test_wrong_checksum_is_refused_before_anything_is_read(placed: Placed) -> None:
    archive = placed()
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(SpecflowError, match=r"wikitext-103-raw-v1\.zip: SHA-256 is .*; expected"):
        made(params())
    assert list(Path("out").iterdir()) == []


def test_missing_part_is_named(placed: Placed) -> None:
    placed(leave_out="valid")
    with pytest.raises(SpecflowError, match=r"raw-v1\.zip: there is no \S*wiki\.valid\.raw in it"):
        made(params())


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
        made(params())
    assert list(Path("out").iterdir()) == []
