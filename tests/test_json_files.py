"""What is read is what was written, or an error that says how to have it made anew."""

import json
from pathlib import Path

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
    ("name", "stage", "advice"),
    [
        ("results/claims.json", "judge", "`git checkout .*json` .*`dvc repro -sf judge` makes"),
        ("results/absent.json", "judge", "no such file; `dvc repro judge` writes it"),
        ("results/measures/audit.json", "", "`specflow forget .*json` .*`dvc repro` makes"),
        ("elsewhere/audit.json", "", "it is not what was written$"),
    ],
)
def test_it_is_said_how_a_result_is_made_anew(workplace, name, stage, advice):
    path = Path(name)
    path.parent.mkdir(parents=True)
    if path.stem != "absent":
        path.write_text("[]")
    with pytest.raises(BrokenFileError, match=f"^{name}: .*{advice}"):
        read_json(path, stage)


@pytest.mark.parametrize("length", [0, 1, 30, -1, -2])
def test_a_cut_file_is_refused(tmp_path, length):
    path = tmp_path / "file.json"
    write_json(path, CONTENT)
    path.write_bytes(path.read_bytes().rstrip()[:length])
    with pytest.raises(BrokenFileError, match="is no JSON"):
        read_json(path, "judge")
