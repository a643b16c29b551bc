"""The page of checkpoints that were analysed on their own: one file, the audit on top in words."""

import base64
import re
from pathlib import Path

import pytest
from tests.browser import BINARY, on_telephone
from tests.report import made_up
from tests.report.pages import parse, section, text, texts

from specflow.audit.findings import Audit
from specflow.report.page import write_checkpoints_page

FIGURES = [one for one in made_up.FIGURES if one.of == "checkpoints"]
NOTES = ("heads <unknown>",)
SKIPPED = {
    "layers.1.bias": "a vector",
    "layers.0.weight": "dtype int8 <b>",
    "layers.0.bias": "a vector",
}
PAGE = Path("out/index.html")


def written(name: str = "public", analysed: tuple[str, ...] = (), told: str = "") -> str:
    made_up.write_tables(Path("out/tables"))
    made_up.write_figures(Path("out/figures"), FIGURES)
    audit = Audit(
        steps=(0, 120) if told else (0,),
        tensors=3,
        flags=(),
        frozen=(),
        skipped=SKIPPED,
        notes=NOTES,
        analysed=(),
        changes={},
        in_order=bool(told),
    )
    write_checkpoints_page(Path("out"), name, {"files": ["*.pt"]}, FIGURES, audit, analysed)
    return PAGE.read_text(encoding="utf-8")


def test_audit_comes_first_then_what_was_analysed_then_spectra_pairs_and_matrices(workplace):
    page = parse(written(analysed=("Layout: <llama>, from names.", "90% of parameters.")))
    assert texts(page, "h1") == ["Spectra of public"]
    titles = ["Audit", "What was analysed", "Spectra", "Pairs of neighbours", "Matrices"]
    assert texts(page, "h2") == titles
    audit = section(page, "audit")
    assert texts(audit, "p") == ["Flags on 1 of 2 steps: 1 out of order."]
    assert texts(audit, "tr")[1] == "120 all out of order fits in the place of step 80 <&>"
    assert texts(section(page, "analysed"), "p") == [
        "2 steps, 0 to 120; 2 matrices.",
        "Layout: <llama>, from names.",
        "90% of parameters.",
        "heads <unknown>",
    ]
    assert texts(section(page, "spectra"), "figcaption") == ["Title of effective_rank: public."]
    pairs = section(page, "pairs")
    assert texts(pairs, "tr") == [
        "pair step 0 step 120 unrelated",
        "A -> B 0.5 0.25 0.1",
        "B -> C — 0.75 0.2",
    ]
    assert "files *.pt" in text(section(page, "matrices"))


def test_sound_steps_are_said_to_be_so(workplace):
    page = parse(written("sound"))
    assert "Pairs of neighbours" not in texts(page, "h2")
    said = text(section(page, "audit"))
    assert said == "Audit No flags: the one step checked, with all tensors as expected."


def test_what_was_told_of_all_steps_is_said_and_nothing_else(workplace):
    for told in ("", ", of one run and in order"):
        written("sound", told=told)
        said = text(section(parse(PAGE.read_text(encoding="utf-8")), "audit"))
        assert said.endswith(f"with all tensors as expected{told}.")


def test_tensors_left_out_are_counted_by_reason(workplace):
    analysed = section(parse(written()), "analysed")
    assert "Not analysed: 3 tensors" in texts(analysed, "summary")
    assert texts(analysed, "h4") == ["a vector: 2", "dtype int8 <b>: 1"]
    assert texts(analysed, "li") == ["layers.1.bias", "layers.0.bias", "layers.0.weight"]


def test_nothing_is_read_from_elsewhere_and_pictures_are_the_files(workplace):
    html = written()
    references = re.findall(r"""\b(?:src|href)\s*=\s*["']([^"']*)""", html)
    assert [one for one in references if not one.startswith(("#", "data:"))] == []
    assert not re.search(r"@import|url\(|<script[^>]*src|fetch\(|import\(", html)
    assert [*parse(html).iter("a")] == []
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(picture) == Path("out/figures", FIGURES[0].file).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program")
def test_browser_shows_it_on_a_telephone_from_disk(workplace, tmp_path):
    written(analysed=("a_name_without_spaces_" * 12,))
    assert on_telephone(tmp_path / "profile", PAGE) == "images 1 broken 0 wide false"
