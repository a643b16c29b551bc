"""Files are whole or absent, and an error names them."""

import pytest

from specflow.errors import SpecflowError
from specflow.scratch import Scratch
from specflow.textfiles import write_text, written


def test_text_is_written_in_a_new_folder_and_nothing_else(tmp_path):
    write_text(tmp_path / "new" / "text", "é\n")
    assert [one.read_text("utf-8") for one in (tmp_path / "new").iterdir()] == ["é\n"]


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError("No space left"), SpecflowError, r"cannot write .*text: No space left"),
        (KeyError("our own bug"), KeyError, "our own bug"),
    ],
)
def test_what_fails_on_the_way_leaves_nothing_and_keeps_the_old_file(
    tmp_path, error, raised, message
):
    path = tmp_path / "text"
    write_text(path, "before")

    def fail():
        with written(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(raised, match=message):
        fail()
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(SpecflowError, match=r"cannot write .*text"):
        write_text(tmp_path / "folder" / "text", "")


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_a_part_that_torch_cannot_write_is_named_and_the_one_before_stays(
    tmp_path, monkeypatch, error
):
    scratch = Scratch(tmp_path)
    scratch.save("part", {"step": 1})

    def fail(content, file):
        file.write(b"half")
        raise error("No space left")

    monkeypatch.setattr("specflow.scratch.torch.save", fail)
    with pytest.raises(SpecflowError, match=r"cannot write .*part: No space left"):
        scratch.save("part", {"step": 2})
    assert [one.name for one in tmp_path.iterdir()] == ["part"]
    assert scratch.load("part") == {"step": 1}
