"""Lines of SHA256SUMS come and go with the tables they are of; those of others stay."""

import hashlib
import os

import pytest

from specflow.errors import SpecflowError
from specflow.sums import SUMS, digest_of, note, noted_in, remove_noted

FOREIGN = b"# mine\r\n\xff\xfe\n\n0a  short\n" + b"0" * 64 + b" *binary.bin"


def write(path, text):
    path.write_text(text)
    return path


def line(name):
    return f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n"


def test_each_file_has_one_line_in_the_order_of_names(tmp_path):
    for name in ("b.csv", "c.csv", "a.csv", "b.csv"):
        note(write(tmp_path / name, name))
    assert (tmp_path / SUMS).read_text() == "".join(map(line, ("a.csv", "b.csv", "c.csv")))


def test_lines_that_are_no_digests_stay_byte_by_byte(tmp_path):
    (tmp_path / SUMS).write_bytes(FOREIGN)
    path = write(tmp_path / "a.csv", "a.csv")
    note(path)
    note(path)
    assert (tmp_path / SUMS).read_bytes() == FOREIGN + b"\n" + line("a.csv").encode()
    assert noted_in(tmp_path) == {"a.csv": digest_of(path)}
    remove_noted(path)
    assert (tmp_path / SUMS).read_bytes() == FOREIGN + b"\n"


def test_the_line_of_a_removed_file_goes_and_with_the_last_one_the_list(tmp_path):
    paths = [write(tmp_path / name, name) for name in ("a.csv", "b.csv", "unlisted.csv")]
    for path in paths[:2]:
        note(path)
    remove_noted(paths[2])
    assert (tmp_path / SUMS).read_text() == line("a.csv") + line("b.csv")
    remove_noted(paths[0])
    assert (tmp_path / SUMS).read_text() == line("b.csv")
    remove_noted(paths[1])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_named(tmp_path):
    path = write(tmp_path / "a.csv", "a")
    (tmp_path / SUMS).mkdir()
    for act in (note, remove_noted, lambda path: noted_in(path.parent)):
        with pytest.raises(SpecflowError, match=rf"cannot read .*{SUMS}: .*directory"):
            act(path)
    assert path.is_file()
    with pytest.raises(SpecflowError, match=r"cannot read .*xxx: .*too long"):
        digest_of(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_list_without_the_right_to_read_it_is_named(tmp_path):
    note(write(tmp_path / "a.csv", "a"))
    (tmp_path / SUMS).chmod(0)
    with pytest.raises(SpecflowError, match=rf"cannot read .*{SUMS}: .*denied"):
        noted_in(tmp_path)
