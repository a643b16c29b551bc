"""Archives that were downloaded: their members, and nothing else that may be in them."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import tar_gz

from specflow.datasets.raw_files import read_members
from specflow.errors import SpecflowError

LARGE = np.random.default_rng(0).bytes(50_000)
MEMBERS = {"set/1.bin": b"one", "set/2.bin": LARGE, "set/readme": b"no member"}


def members(path: Path, content: bytes, limit: int = 50_000) -> dict[str, bytes]:
    path.write_bytes(content)
    return {name[1]: body for name, body in read_members(path, r"set/(\d)\.bin", limit)}


def test_members_are_those_with_the_whole_name(tmp_path: Path) -> None:
    contents = MEMBERS | {"set/3.bin.txt": b"", "other/set/4.bin": b""}
    found = members(tmp_path / "a.tar.gz", tar_gz(contents))
    assert found == {"1": b"one", "2": LARGE}


def test_member_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(SpecflowError, match=r"set/2\.bin has 50000 bytes; expected at most 49999"):
        members(tmp_path / "a.tar.gz", tar_gz(MEMBERS), limit=49_999)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "../secret"),
        (tarfile.SYMTYPE, "1.bin"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_member_that_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    with pytest.raises(SpecflowError, match=r"a\.tar\.gz: set/3\.bin is no plain file"):
        members(tmp_path / "a.tar.gz", tar_gz({**MEMBERS, "set/3.bin": (kind, target)}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        gzip.compress(b"no tar"),
        *(tar_gz(MEMBERS)[:end] for end in (100, -900, -9000)),
    ],
    ids=["empty", "page", "no_tar", "start", "end_cut", "more_cut"],
)
def test_file_that_is_no_whole_archive_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SpecflowError, match=r"a\.tar\.gz: cannot be read"):
        members(tmp_path / "a.tar.gz", content)
