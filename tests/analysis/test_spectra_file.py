"""The page of a file of spectra: without an audit, and again when the file has grown."""

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from tests.measure.walks import One, Walk, layers, measure, walk

import specflow
from specflow.analysis import spectra_file
from specflow.analysis.spectra_file import UNAUDITED, write_page, write_pages
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


def test_page_tells_of_spectra_and_of_no_audit(spectra, tmp_path, capsys, blank):
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


def test_page_has_leading_values_and_losses_of_what_was_watched(tmp_path, blank):
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
    state = tmp_path / "step3.pt"
    torch.save({"a": torch.eye(3)}, state)
    told = f"{path}: has spectra, no weights; `specflow analyze` takes one such file"
    for words in (["audit", str(path)], ["compare", str(path), str(state)]):
        with pytest.raises(SystemExit):
            main(words)
        assert told in capsys.readouterr().err
    for source in ([path, state], f"0={path}", tmp_path / "*.*"):
        with pytest.raises(SpecflowError, match=re.escape(told)):
            specflow.analyze(source)


def test_files_of_any_place_and_pattern_are_read_and_nothing_of_others_is_touched(
    spectra, tmp_path, monkeypatch, undrawn
):
    path, own = spectra(2), tmp_path / ".spectra.h5"
    own.write_text("mine")
    table = specflow.analyze(path)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    Path("link.h5").symlink_to(Path("..", path.name))
    for source in ("../spectr?.h5", "link.h5", [path]):
        pd.testing.assert_frame_equal(specflow.analyze(source), table)
    specflow.analyze(path, output=tmp_path)
    assert own.read_text() == "mine"
    hidden = {one.name for one in tmp_path.rglob(".*")}
    assert hidden == {".spectra.h5"}


def test_two_pages_of_one_folder_wait_for_each_other(spectra, tmp_path, undrawn):
    path = spectra(2)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(write_page, path, tmp_path / "out") for _ in range(2)]
        assert all("spectra" in one.result(300) for one in found)


def test_folder_of_an_audit_is_refused(spectra, tmp_path):
    path, state = spectra(2), tmp_path / "step3.pt"
    torch.save({"a": torch.eye(3)}, state)
    specflow.analyze(state, output=tmp_path / "out")
    for source in (path, tmp_path / "out" / "spectra.h5"):
        with pytest.raises(SpecflowError, match=r"out: has the audit\.json of an analysis"):
            specflow.analyze(source, output=tmp_path / "out")


@pytest.mark.parametrize("kind", [np.array([1, 2]), h5py.Empty("f"), 3])
def test_foreign_files_are_no_spectra(tmp_path, kind):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["kind"] = kind
    with pytest.raises(SpecflowError, match=r"a\.h5: "):
        specflow.analyze(path)


def test_broken_files_are_errors_that_name_them(spectra, tmp_path):
    whole, broken = spectra(2).read_bytes(), tmp_path / "broken.h5"
    chance = random.Random(0)
    for _ in range(60):
        some = bytearray(whole[: chance.randrange(len(whole)) if chance.random() < 0.3 else None])
        for place in chance.sample(range(len(some)), min(len(some), 5)):
            some[place] ^= chance.randrange(1, 256)
        broken.write_bytes(some)
        with pytest.raises(SpecflowError, match=r"broken\.h5"):
            specflow.analyze(broken)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"quick": True}, "quick"),
        ({"include": ["0"], "key": "model"}, "key='model', include=.*0.*"),
    ],
)
def test_options_of_reading_weights_are_refused_of_spectra(spectra, options, named):
    path = spectra(2)
    said = rf"spectra\.h5: got {named} of a file of spectra; expected no option"
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
    spectra, tmp_path, monkeypatch, undrawn
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


def test_page_waits_for_the_first_step_of_a_training(spectra, tmp_path, monkeypatch, undrawn):
    monkeypatch.setattr(spectra_file, "_OFTEN", 0.05)
    path = tmp_path / "spectra.h5"
    path.with_name("spectra.h5.rows").mkdir()
    pages = write_pages(path, tmp_path / "out")
    assert next(pages) is None
    assert next(pages) is None
    spectra(2)
    assert "2 steps" in next(pages).read_text("utf-8")


def test_page_that_does_not_follow_waits_for_nothing(tmp_path, capsys):
    path = tmp_path / "spectra.h5"
    path.with_name("spectra.h5.rows").mkdir()
    with pytest.raises(SystemExit):
        main(["page", str(path)])
    assert f"{path}: no step is measured yet; with --follow" in capsys.readouterr().err


def test_what_is_no_file_of_spectra_is_said(tmp_path):
    with pytest.raises(SpecflowError, match=r"run\.h5: there is no such file"):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
    torch.save({}, tmp_path / "run.h5")
    with pytest.raises(SpecflowError, match=r"run\.h5: "):
        next(write_pages(tmp_path / "run.h5", tmp_path / "out"))
