import shutil
import subprocess

import h5py
import numpy as np
import pytest
from tests.sealed import edited

from specflow import hdf5
from specflow.errors import BrokenFileError, SpecflowError
from specflow.hdf5 import Layout, create, describe, open_file, read, write, write_row

THING = Layout("thing", 1)


def write_thing(path, layout=THING):
    with create(path, layout, {"config": "{}"}) as file:
        write(file, "group/values", np.arange(5.0))


def test_file_reads_back(tmp_path):
    write_thing(tmp_path / "a" / "thing.h5")
    with open_file(tmp_path / "a" / "thing.h5", THING) as file:
        assert file["group/values"][:].tolist() == [0, 1, 2, 3, 4]
        assert file.attrs["config"] == "{}"


def test_same_content_gives_the_same_bytes(tmp_path):
    write_thing(tmp_path / "a.h5")
    write_thing(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


ARRAYS = {
    "a/b/deep": np.arange(6.0).reshape(2, 3),
    "a/flags": np.array([True, False]),
    "integers": np.arange(5, dtype=np.int16),
    "none": np.empty((0, 3), dtype=np.float32),
    "scalar": np.float64(2.5),
    "strided": np.arange(12.0).reshape(3, 4).T,
    "größe": np.ones(3),
}


def test_arrays_are_written_as_h5py_itself_does(tmp_path):
    with create(tmp_path / "here.h5", THING, {}) as file:
        for name, values in ARRAYS.items():
            write(file, name, values)
    with create(tmp_path / "naive.h5", THING, {}) as file:
        for name, values in ARRAYS.items():
            file.create_dataset(name, data=values, track_times=False)
    assert (tmp_path / "here.h5").read_bytes() == (tmp_path / "naive.h5").read_bytes()


def test_attributes_are_written_as_h5py_itself_does(tmp_path):
    about = {"label": "größe", "role": "", "rows": 3, "null": 0.25}
    with create(tmp_path / "here.h5", THING, {}) as file:
        write(file, "a/b", np.ones(2))
        describe(file, "a", about)
    with create(tmp_path / "naive.h5", THING, {}) as file:
        write(file, "a/b", np.ones(2))
        file["a"].attrs.update(about)
    assert (tmp_path / "here.h5").read_bytes() == (tmp_path / "naive.h5").read_bytes()
    with open_file(tmp_path / "here.h5", THING) as file:
        assert dict(file["a"].attrs) == about


def test_arrays_are_read_as_h5py_itself_does(tmp_path):
    with create(tmp_path / "thing.h5", THING, {}) as file:
        for name, values in ARRAYS.items():
            write(file, name, values)
    with open_file(tmp_path / "thing.h5", THING) as file:
        for name in ARRAYS:
            found, naive = read(file, name), file[name][()]
            assert (found.shape, found.dtype) == (naive.shape, naive.dtype)
            assert np.array_equal(found, naive)
        with pytest.raises(KeyError):
            read(file, "absent")


def test_file_of_another_process_is_whole_in_itself(tmp_path, monkeypatch):
    with create(tmp_path / "thing.h5", THING, {}) as file:
        for name, values in ARRAYS.items():
            write(file, name, values)
        for index in range(3):
            write_row(file.require_group("rows"), {"w": np.ones(2), "x": 1.0}, index, 3)
        file["again"] = file["a"]
        file["a/itself"] = file["a"]
    monkeypatch.setattr(hdf5, "_own", set())
    with open_file(tmp_path / "thing.h5", THING) as file:
        assert set(file) == {*(name.split("/")[0] for name in ARRAYS), "rows", "again"}


def test_error_while_writing_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "thing.h5"
    write_thing(path)
    before = path.read_bytes()

    def fail():
        with create(path, THING, {}) as file:
            write(file, "values", np.zeros(3))
            raise KeyError("our own bug")

    with pytest.raises(KeyError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["thing.h5"]
    assert path.read_bytes() == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no permission to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", [100_000, 200_000, 1_000_000])
def test_full_disk_is_an_error_and_leaves_nothing(small_disk, size):
    path = small_disk / "thing.h5"
    (small_disk / "other").write_bytes(bytes(1_000_000))

    def fill():
        with create(path, THING, {}) as file:
            write(file, "values", np.ones(size, dtype=np.int8))

    with pytest.raises(SpecflowError, match=r"cannot write .*thing.h5.*No space left"):
        fill()
    assert [p.name for p in small_disk.iterdir()] == ["other"]


def refused(path, match):
    with pytest.raises(BrokenFileError, match=match), open_file(path, THING):
        pass


def test_missing_file_is_named_with_how_to_get_it(tmp_path):
    refused(tmp_path / "absent.h5", r"absent.h5: there is no such file; expected one of kind thing")


@pytest.mark.parametrize("kept", [0, 10, 100, 2000])
def test_truncated_file_is_named_with_how_to_rebuild_it(tmp_path, kept):
    path = tmp_path / "thing.h5"
    write_thing(path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, r"thing.h5: truncated")


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "thing.h5"
    write_thing(path)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).choice(len(whole), 200, replace=False):
        content = bytearray(whole)
        content[place] ^= 1 << int(place) % 8
        path.write_bytes(content)
        refused(path, "thing.h5: (damaged|truncated)")
    path.write_bytes(whole)
    with open_file(path, THING):
        pass


def add_link(file, other):
    file["link"] = h5py.ExternalLink(str(other), "secret")


def add_soft_link(file, other):
    file["link"] = h5py.SoftLink("/group/values")


def add_raw_data(file, other):
    file.create_dataset("raw", (3,), "f8", external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def add_virtual_data(file, other):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
    file.create_virtual_dataset("virtual", layout)


def add_more_than_is_stored(file, other):
    file.create_dataset("huge", (2**20, 2**20), np.float32, chunks=(64, 64))


def add_what_unpacks(file, other):
    file.create_dataset("bomb", data=np.zeros(10**6), compression="gzip")


ADDED = [add_link, add_soft_link, add_raw_data, add_virtual_data]


@pytest.mark.parametrize("add", [*ADDED, add_more_than_is_stored, add_what_unpacks])
def test_what_is_not_stored_in_the_file_itself_is_refused(tmp_path, add):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.arange(3.0)
    path = tmp_path / "thing.h5"
    write_thing(path)
    with edited(path) as file:
        add(file, tmp_path / "other.h5")
    refused(path, r"thing.h5: \w+ lies outside of this file, or is not stored as specflow does it")


@pytest.mark.parametrize("layout", [Layout("thing", 2), Layout("other", 1)])
def test_other_kind_or_version_is_refused(tmp_path, layout):
    write_thing(tmp_path / "thing.h5", layout)
    refused(tmp_path / "thing.h5", rf"got {layout.kind} of version {layout.version}")


def test_rows_are_stored_a_step_a_chunk(tmp_path):
    path = tmp_path / "thing.h5"
    with create(path, THING, {}) as file:
        for index in range(3):
            write_row(file, {"w": np.full((2, 2), index), "x": float(index)}, index, 3)
    with open_file(path, THING) as file:
        assert file["w"].chunks == (1, 2, 2)
        assert file["w"][:, 0, 0].tolist() == [0, 1, 2]
        assert file["x"][:].tolist() == [0, 1, 2]
