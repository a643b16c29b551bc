"""Rows that are packed come back bit for bit."""

import torch

from specflow.measure.packed import packed, unpacked


def test_rows_of_any_keys_shapes_and_kinds_come_back(tmp_path):
    generator = torch.Generator().manual_seed(0)
    rows = []
    for place in range(30):
        shape = torch.randint(0, 5, (place % 3 + 1,), generator=generator).tolist()
        row = {
            "a": torch.randn(shape, generator=generator),
            "b": torch.tensor(float(place)).double(),
        }
        if place % 4:
            row["c"] = torch.randn(3, place, generator=generator).mT
        rows.append(row)
    torch.save(packed(rows), tmp_path / "kept")
    found = unpacked(torch.load(tmp_path / "kept", weights_only=True, mmap=True))
    assert len(found) == len(rows)
    for row, other in zip(rows, found, strict=True):
        assert row.keys() == other.keys()
        for key, value in row.items():
            assert other[key].dtype == value.dtype
            assert torch.equal(other[key], value)


def test_some_rows_are_those_of_all():
    rows = [
        {"a": torch.arange(place)} | ({"b": torch.ones(2, 2)} if place % 3 else {})
        for place in range(9)
    ]
    kept = packed(rows)
    for start in range(10):
        for stop in range(start, 10):
            found = unpacked(kept, slice(start, stop))
            assert [row.keys() for row in found] == [row.keys() for row in rows[start:stop]]
            assert [len(row["a"]) for row in found] == list(range(start, min(stop, 9)))


def test_no_rows_are_none():
    assert unpacked(packed([])) == []
    assert unpacked(packed([{}, {}])) == [{}, {}]
