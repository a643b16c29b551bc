"""The page as one file: whole, small, and the same but for its header."""

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from tests.commands import ended_with
from tests.report.made_up import FIGURES
from tests.report.pages import parse, section, text

from specflow import paths
from specflow.errors import SpecflowError
from specflow.report import single_file
from specflow.report.pictures import embedded
from specflow.report.single_file import provenance, write_single_file

PAGE = paths.RESULTS.with_name("page.html")


def written() -> str:
    write_single_file(PAGE)
    return PAGE.read_text(encoding="utf-8")


def gradient(size=64) -> Image.Image:
    """A picture with more colours than a palette has."""
    return Image.merge(
        "RGB", [Image.linear_gradient("L").resize((size, size)).rotate(k) for k in (0, 90, 45)]
    )


def test_nothing_is_read_from_elsewhere(results):
    results()
    html = written()
    references = re.findall(r"""\b(?:src|href)\s*=\s*["']([^"']*)""", html)
    outside = [one for one in references if not one.startswith(("#", "data:"))]
    assert set(outside) == {"https://arxiv.org/abs/2408.11804"}  # a link, which loads nothing
    assert not re.search(
        r"@import|url\(|<link[^>]*stylesheet|<script[^>]*src|fetch\(|import\(", html
    )


def test_every_picture_is_inside_once_and_shows_what_the_file_shows(results):
    results()
    images = [one.get("src", "") for one in parse(written()).iter("img")]
    inside = [source for source in images if source]
    assert len(inside) == len(FIGURES)
    kind, _, content = inside[0].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (40, 20)
        assert image.convert("L").getextrema() == (255, 255)


def test_same_results_give_the_same_bytes_but_for_the_header(results, monkeypatch):
    results()
    monkeypatch.setattr(single_file, "provenance", lambda: {"written": "at noon"})
    first = written()
    assert written() == first
    monkeypatch.setattr(single_file, "provenance", lambda: {"written": "at midnight"})
    assert written() == first.replace("at noon", "at midnight")


def test_header_says_commit_date_versions_machine_and_seeds(results):
    results()
    (facts,) = parse(written()).iterfind(".//header/dl")
    called = [text(one) for one in facts.iter("dt")]
    assert called == ["seeds", *provenance()]
    assert {"commit", "written", "with", "on"} < set(called)
    assert "torch" in text(facts)
    assert provenance()["commit"] == "unknown: there is no git repository"


def test_pictures_have_fewer_colours_where_they_would_be_too_large(workplace):
    paths.FIGURES.mkdir(parents=True)
    gradient().save(paths.FIGURES / FIGURES[0].file)

    def size(pictures):
        return sum(len(picture.source) for picture in pictures.values())

    best = embedded(FIGURES[:1], paths.FIGURES, 10**9)
    smaller = embedded(FIGURES[:1], paths.FIGURES, size(best) - 1)
    assert size(smaller) < size(best)
    with pytest.raises(
        SpecflowError, match=r"1 figures in .* take .* MB with 16 colours; expected"
    ):
        embedded(FIGURES[:1], paths.FIGURES, 100)


def test_pictures_in_colours_differ_little_from_the_file(workplace):
    paths.FIGURES.mkdir(parents=True)
    whole = gradient()
    whole.save(paths.FIGURES / FIGURES[0].file)
    (picture,) = embedded(FIGURES[:1], paths.FIGURES, 10**9).values()
    with Image.open(io.BytesIO(base64.b64decode(picture.source.partition(",")[2]))) as image:
        pairs = zip(image.convert("RGB").tobytes(), whole.tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / len(whole.tobytes()) < 4


def test_command_writes_either_page(results, capsys):
    results()
    assert ended_with("report") == 0
    assert ended_with("report", "--single-file", str(PAGE)) == 0
    assert ended_with("report", "--single-file") == 0
    said = capsys.readouterr().out.split()[1::2]
    assert said == [str(paths.REPORT), str(PAGE), "build/report.html"]
    for page in said:
        assert section(parse(Path(page).read_text(encoding="utf-8")), "scorecard") is not None
