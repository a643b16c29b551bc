"""The page of a file of spectra: without an audit, and again when the file has grown."""

import re
import time
from threading import Thread

import pandas as pd
import pytest
import torch
from tests.measure.walks import One, Walk, layers, measure, walk

import specflow
from specflow.analysis import spectra_file
from specflow.analysis.spectra_file import UNAUDITED, write_pages
from specflow.cli import main
from specflow.errors import SpecflowError
from specflow.frames import Tables, where
from specflow.live.leading import LeadingRows
from specflow.live.settings import SPECTRA
from specflow.live.whole import WholeRows


@pytest.fixture
def spectra(tmp_path):
    """Write the spectra of some steps of a training, and return the file."""
    state, wiring = layers(9, 12, 10, 7)

    def written(count: int):
        return measure(tmp_path, Walk(walk(state, count)), wiring)

    return written


def test_page_tells_of_spectra_and_of_no_audit(spectra, tmp_path, capsys):
    path = spectra(3)
    main(["page", str(path)])
    page = tmp_path / "spectra" / "index.html"
    assert capsys.readouterr().out == f"page: {page}\n"
    text = page.read_text("utf-8")
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", text) == [
        "What was analysed",
        "Spectra",
        "Pairs of neighbours",
        "Matrices",
    ]
    assert "3 steps, 0 to 20; 3 matrices." in text
    assert "No flags" not in text
    assert f"<code>{path}</code>" in text


def test_page_has_leading_values_and_losses_of_what_was_watched(tmp_path):
    state, wiring = layers(9, 12, 10, 7)
    states = walk(state, 5)
    for number in range(5):
        for rows in (WholeRows(tmp_path / "run.h5", wiring, SPECTRA), None):
            rows = rows or LeadingRows(tmp_path / "run.leading.h5", wiring)
            with rows.locked():
                if number % 2 == 0 or isinstance(rows, LeadingRows):
                    rows.measure(One(states, number), {"value": 1 / (1 + number)})
                rows.publish()
    page = next(write_pages(tmp_path / "run.h5", tmp_path / "run"))
    text = page.read_text("utf-8")
    assert "Leading singular values and vectors at more steps" in text
    assert "Losses and other numbers given" in text
    tables = Tables(tmp_path / "run" / "tables")
    given = tables["given"]
    assert given["step"].tolist() == [0, 10, 20, 30, 40]
    assert given["value"].tolist() == [1, 0.5, 0.33333, 0.25, 0.2]
    assert len(tables["leading"]) == 5 * 3
    assert len(tables["leading_values"]) == 5 * 10
    assert len(tables["leading_alignment"]) == 5 * 2
    norms = where(tables["spectra"], step=20)["spectral_norm"].tolist()
    assert where(tables["leading"], step=20)["spectral_norm"].tolist() == norms


def test_analyze_shows_spectra_as_the_page_does_and_says_that_there_is_no_audit(
    spectra, tmp_path, capsys
):
    path, output = spectra(3), tmp_path / "spectra"
    next(write_pages(path, output))
    written = {one: one.read_bytes() for one in output.rglob("*.*")}
    main(["analyze", str(path), "-o", str(output)])
    assert capsys.readouterr().out == f"page: {output / 'index.html'}\nnote: {UNAUDITED}\n"
    assert {one: one.read_bytes() for one in output.rglob("*.*")} == written
    assert not (output / "tables" / "audit.csv").exists()
    table = specflow.analyze(path)
    assert list(table["step"].unique()) == [0, 10, 20]
    assert table.attrs == {"analysed": [], "notes": [UNAUDITED], "flags": []}
    kept = Tables(output / "tables")["spectra"].drop(columns=["experiment", "seed"])
    pd.testing.assert_frame_equal(table, kept, rtol=1e-4)


def test_spectra_are_refused_where_weights_are_needed(spectra, tmp_path, capsys):
    path = spectra(2)
    told = f"{path}: has spectra, no weights; expected no other file beside it"
    state = tmp_path / "step3.pt"
    torch.save({"a": torch.eye(3)}, state)
    for words in (["audit", str(path)], ["compare", str(path), str(state)]):
        with pytest.raises(SystemExit):
            main(words)
        assert told in capsys.readouterr().err
    with pytest.raises(SpecflowError, match=re.escape(told)):
        specflow.analyze([path, state])


@pytest.mark.parametrize(
    ("options", "named"),
    [({"quick": True}, "quick"), ({"include": ["0"], "key": "model"}, "include, key")],
)
def test_options_of_reading_weights_are_refused_of_spectra(spectra, options, named):
    path = spectra(2)
    said = rf"spectra\.h5: got ({named}|key, include) of a file of spectra; expected no option"
    with pytest.raises(SpecflowError, match=said):
        specflow.analyze(path, **options)


def test_leading_values_alone_are_refused(tmp_path):
    state, wiring = layers(9, 12, 10, 7)
    rows = LeadingRows(tmp_path / "run.leading.h5", wiring)
    with rows.locked():
        rows.measure(One(walk(state, 1), 0), {})
        rows.publish()
    with pytest.raises(SpecflowError, match=r"run\.leading\.h5: has leading values, no weights"):
        specflow.analyze(tmp_path / "run.leading.h5")


def test_page_is_written_again_when_the_file_has_grown_and_not_before(
    spectra, tmp_path, monkeypatch
):
    monkeypatch.setattr(spectra_file, "_OFTEN", 0.05)
    pages = write_pages(spectra(2), tmp_path / "out")
    assert "2 steps" in next(pages).read_text("utf-8")
    found = []
    waiting = Thread(target=lambda: found.append(next(pages)))
    waiting.start()
    time.sleep(0.3)
    assert not found
    spectra(3)
    waiting.join(120)
    assert "3 steps" in found[0].read_text("utf-8")


def test_page_waits_for_the_first_step_of_a_training(spectra, tmp_path, monkeypatch):
    monkeypatch.setattr(spectra_file, "_OFTEN", 0.05)
    path = tmp_path / "spectra.h5"
    path.with_name("spectra.h5.rows").mkdir()
    pages = write_pages(path, tmp_path / "out")
    assert next(pages) is None
    assert next(pages) is None
    spectra(2)
    assert "2 steps" in next(pages).read_text("utf-8")


def test_what_is_no_file_of_spectra_is_said(tmp_path):
    with pytest.raises(SpecflowError, match=r"run\.h5: there is no such file"):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
    torch.save({}, tmp_path / "run.h5")
    with pytest.raises(SpecflowError, match=r"run\.h5: "):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
