"""The page of a file of spectra: without an audit, and again when the file has grown."""

import re
import time
from threading import Thread

import pytest
import torch
from tests.measure.walks import Walk, layers, measure, walk

from specflow import watched
from specflow.cli import main
from specflow.errors import SpecflowError
from specflow.watched import write_pages


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


def test_page_is_written_again_when_the_file_has_grown_and_not_before(
    spectra, tmp_path, monkeypatch
):
    monkeypatch.setattr(watched, "_OFTEN", 0.05)
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


def test_what_is_no_file_of_spectra_is_said(tmp_path):
    with pytest.raises(SpecflowError, match=r"run\.h5: there is no such file"):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
    torch.save({}, tmp_path / "run.h5")
    with pytest.raises(SpecflowError, match=r"run\.h5: "):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
