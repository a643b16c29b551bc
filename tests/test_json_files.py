"""What is read is what was written, or an error that says how to have it made anew."""

import json

import pytest
from tests.sealed import flipped

from specflow.errors import BrokenFileError
from specflow.json_files import read_json, write_json

CONTENT = {"b": {"value": 0.1, "list": [None, True, -3]}, "a": "ü"}


def test_content_comes_back_in_its_order_and_any_program_reads_the_file(tmp_path):
    path = tmp_path / "new" / "file.json"
    write_json(path, CONTENT)
    assert list(read_json(path).items()) == list(CONTENT.items())
    assert set(json.loads(path.read_text())) == {"a", "b", "sha256"}


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, CONTENT)
    content, refused = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(flipped(content, place, place % 8))
        try:
            found = read_json(path)
        except BrokenFileError:
            refused += 1
        else:
            assert found == CONTENT  # white space, or another way to write it
    assert refused > len(content) / 2


@pytest.mark.parametrize(
    ("stage", "advice"), [("judge", "`dvc repro -sf judge` writes it"), ("", "`specflow forget")]
)
def test_it_is_said_how_a_damaged_file_is_made_anew(tmp_path, stage, advice):
    path = tmp_path / "file.json"
    path.write_text("[]")
    with pytest.raises(BrokenFileError, match=advice):
        read_json(path, stage)


@pytest.mark.parametrize("length", [0, 1, 30, -1, -2])
def test_a_cut_file_is_refused(tmp_path, length):
    path = tmp_path / "file.json"
    write_json(path, CONTENT)
    path.write_bytes(path.read_bytes().rstrip()[:length])
    with pytest.raises(BrokenFileError, match="is no JSON"):
        read_json(path, "judge")
