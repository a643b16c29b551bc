"""Archives that are not as torch.save writes them today: read as torch.load does, or refused."""

import warnings
import zipfile

import pytest
import torch
from tests.attacks.attempts import attempt

from specflow.checkpoints.opening import open_checkpoint

STATE = {"a": torch.full((10,), 1.0), "b": torch.full((10,), 2.0), "c": torch.arange(40.0)}


@pytest.fixture
def records(tmp_path):
    """The records of a file of torch.save, by name, in its order."""
    torch.save(STATE, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, records, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in records:
            archive.writestr(name, content)
    return path


def check_as_torch_reads_it(path):
    expected = torch.load(path, weights_only=True)
    with open_checkpoint(path) as file:
        assert set(file.infos) == set(expected)
        assert all(torch.equal(file.read(name), tensor) for name, tensor in expected.items())


def swapped(records):
    names = list(records)
    a, b = names.index("whole/data/0"), names.index("whole/data/1")
    names[a], names[b] = names[b], names[a]
    return [(name, records[name]) for name in names]


@pytest.mark.parametrize(
    "order", [lambda r: list(r.items()), swapped, lambda r: [*r.items()][::-1]]
)
def test_records_are_found_by_their_names(tmp_path, records, order):
    check_as_torch_reads_it(packed(tmp_path / "other.pt", order(records)))


@pytest.mark.parametrize("alignment", [b"0", b"1", b"4000000000"])
def test_what_a_file_says_of_its_alignment_does_not_matter(tmp_path, records, alignment):
    records["whole/.storage_alignment"] = alignment
    check_as_torch_reads_it(packed(tmp_path / "other.pt", records.items()))


def test_tensor_beyond_its_record_is_refused(tmp_path, records, refused):
    pickled = records["whole/data.pkl"]
    assert pickled.count(b"K\x0a\x85") == 2  # the shape (10,) of two tensors
    records["whole/data.pkl"] = pickled.replace(b"K\x0a\x85", b"K\x14\x85")
    refused(packed(tmp_path / "other.pt", records.items()), "a: larger than its record")


def test_two_records_of_one_name_are_refused(tmp_path, records, refused):
    with warnings.catch_warnings(action="ignore"):
        path = packed(tmp_path / "other.pt", [*records.items(), *swapped(records)])
    refused(path, "an archive with two records of one name")


@pytest.mark.parametrize("tail", [b"PK\x05\x06abcd", bytes(70_000)])
def test_bomb_whose_directory_is_hidden_is_refused(tmp_path, records, tail):
    records["whole/data/0"] = bytes(600_000_000)
    path = packed(tmp_path / "bomb.pt", records.items(), zipfile.ZIP_DEFLATED)
    path.write_bytes(path.read_bytes() + tail)
    _, error = attempt(lambda: open_checkpoint(path).__enter__())
    assert "bomb.pt: broken or truncated" in str(error)
