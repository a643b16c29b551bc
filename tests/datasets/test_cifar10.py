import gzip
import hashlib
import io
import os
import pickle
import pickletools
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from specflow import paths
from specflow.datasets import cifar10
from specflow.datasets.cifar10 import Cifar10Params
from specflow.datasets.pickled_arrays import PickleError, read_pickle
from specflow.datasets.raw_files import RawFile
from specflow.datasets.storage import load
from specflow.errors import SpecflowError

SIZE = 4  # images in a batch
GENERATOR = np.random.default_rng(0)
DATA = GENERATOR.integers(0, 256, (5, SIZE, 3072), dtype=np.uint8)
LABELS = GENERATOR.integers(0, 10, (5, SIZE)).tolist()
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


def text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def array(data: np.ndarray, dtype: bytes = b"u1", reconstruct: bytes = RECONSTRUCT) -> bytes:
    fortran = data.flags.f_contiguous and not data.flags.c_contiguous
    content = data.tobytes("F" if fortran else "C")
    shape = b"(" + b"".join(number(size) for size in data.shape) + b"t"
    kind = b"cnumpy\ndtype\n" + text(dtype) + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + text(b"|") + b"NNN" + number(-1) + number(-1) + b"K\x00tb"
    empty = reconstruct + b"cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    flag = b"\x88" if fortran else b"\x89"
    bytes_ = b"T" + struct.pack("<i", len(content)) + content
    return empty + b"(K\x01" + shape + kind + flag + bytes_ + b"tb"


def a_list(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def batch(index: int = 0, **changes: bytes | None) -> bytes:
    """A batch as `cifar-10-batches-py/data_batch_N` has it."""
    content: dict[str, bytes | None] = {
        "batch_label": text(b"training batch %d of 5" % (index + 1)),
        "labels": a_list([number(label) for label in LABELS[index]]),
        "data": array(DATA[index]),
        "filenames": a_list([text(b"leptodactylus_pentadactylus_s_000004.png")] * SIZE),
    }
    items = [(key, value) for key, value in (content | changes).items() if value is not None]
    body = b"".join(text(key.encode()) + value for key, value in items)
    return b"\x80\x02}(" + body + b"u."


def members(**changes: bytes | None) -> dict[str, bytes]:
    names = {f"data_batch_{number}": batch(number - 1) for number in range(1, 6)}
    names |= {"readme.html": b"<html>", "batches.meta": b"never read", "test_batch": b"neither"}
    merged: dict[str, bytes | None] = names | changes
    folder = "cifar-10-batches-py"
    return {f"{folder}/{name}": body for name, body in merged.items() if body is not None}


def packed(contents: dict[str, bytes], *further: tuple[tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        folder = tarfile.TarInfo("cifar-10-batches-py")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, body in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
        for member, body in further:
            archive.addfile(member, io.BytesIO(body))
    return target.getvalue()


@pytest.fixture
def read(tmp_path: Path):
    def read(content: bytes) -> tuple[np.ndarray, np.ndarray]:
        path = tmp_path / "cifar.tar.gz"
        path.write_bytes(content)
        return cifar10.read_archive(path, SIZE)

    return read


def member(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_pickles_made_here_are_valid_and_what_numpy_reads() -> None:
    pickletools.dis(batch(), out=io.StringIO())
    modern = batch(data=array(DATA[0], reconstruct=b"cnumpy._core.multiarray\n_reconstruct\n"))
    content = pickle.loads(modern, encoding="bytes")
    assert list(content) == [b"batch_label", b"labels", b"data", b"filenames"]
    np.testing.assert_array_equal(content[b"data"], DATA[0])
    assert content[b"labels"] == LABELS[0]


def test_images_and_labels_are_read_in_the_order_of_batches(read) -> None:
    shuffled = dict(sorted(members().items(), reverse=True))
    for contents in (members(), shuffled):
        images, targets = read(packed(contents))
        assert images.shape == (5 * SIZE, 3, 32, 32)
        np.testing.assert_array_equal(images.reshape(5, SIZE, 3072), DATA)
        assert targets.dtype == np.int64
        assert targets.tolist() == [label for labels in LABELS for label in labels]


def test_channels_are_planes_and_rows_run_from_the_top(read) -> None:
    images, _ = read(packed(members()))
    # "The first 1024 entries contain the red channel values, the next 1024 the green, and the
    # final 1024 the blue. The image is stored in row-major order" (the page of CIFAR-10)
    assert images[SIZE + 1, 2, 5, 7] == DATA[1, 1, 2 * 1024 + 5 * 32 + 7]


def test_arrays_in_fortran_order_are_the_same(read) -> None:
    data = array(np.asfortranarray(DATA[0]))
    assert data != array(DATA[0])
    images, _ = read(packed(members(data_batch_1=batch(data=data))))
    np.testing.assert_array_equal(images[:SIZE].reshape(SIZE, 3072), DATA[0])


HOSTILE = {
    "system": b"cposix\nsystem\n(" + text(b"touch hacked") + b"tR.",
    "os_system": b"cos\nsystem\n(" + text(b"touch hacked") + b"tR.",
    "eval": b"c__builtin__\neval\n(" + text(b"__import__('os').system('touch hacked')") + b"tR.",
    "inst": b"(" + text(b"touch hacked") + b"ios\nsystem\n.",
    "new_object": b"csubprocess\nPopen\n(" + text(b"hacked") + b"t\x81.",
    "dotted": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93(tR.",
    "dotted_globals": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
    "other_numpy": b"cnumpy\nload\n(" + text(b"hacked") + b"tR.",
    "extension": b"\x82\x01.",
    "persistent": b"Phacked\n.",
    "state_of_class": b"cnumpy\nndarray\n}(" + text(b"as_bytes") + b"NubK\x01.",
    "slots_of_class": b"cnumpy\ndtype\nN}(" + text(b"name") + b"Nu\x86b.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_pickle_that_would_run_code_is_refused(read, workplace: Path, name: str) -> None:
    with pytest.raises(PickleError, match="cannot be unpickled"):
        read_pickle(HOSTILE[name])
    with pytest.raises(SpecflowError, match=r"cifar\.tar\.gz: cifar-10-batches-py/data_batch_3: "):
        read(packed(members(data_batch_3=HOSTILE[name])))
    assert not Path("hacked").exists()


def test_those_pickles_run_code_in_a_plain_unpickler(workplace: Path) -> None:
    for name in ("system", "os_system", "eval", "inst"):
        pickle.loads(HOSTILE[name], encoding="latin1")
        assert Path("hacked").exists(), name
        os.remove("hacked")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, "data is a NoneType; expected an array"),
        ({"data": a_list([])}, "data is a list; expected an array"),
        ({"data": array(DATA[0][:3])}, r"array of shape \(3, 3072\) in 9216 bytes; expected \(4,"),
        ({"data": array(DATA[0].reshape(3072, 4))}, r"array of shape \(3072, 4\)"),
        ({"data": array(DATA[0], b"i1")}, "array of another type; expected unsigned bytes"),
        ({"data": array(DATA[0], b"O8")}, "array of another type"),
        (
            {"data": array(DATA[0]).replace(number(4), number(8), 1)},
            r"array of shape \(8, 3072\) in 12288",
        ),
        ({"data": array(DATA[0]).rpartition(b"(K\x01")[0]}, "array of another type"),
        ({"labels": None}, "labels are no list of 4 classes"),
        ({"labels": a_list([number(1)] * 3)}, "labels are no list of 4 classes"),
        ({"labels": a_list([number(1)] * 3 + [number(10)])}, "labels have 10; expected 0 to 9"),
        ({"labels": a_list([number(-1)] * 4)}, "labels have -1; expected"),
        ({"labels": a_list([b"\x88"] * 4)}, "labels have True; expected"),
        ({"labels": a_list([text(b"1")] * 4)}, "labels have b'1'; expected"),
    ],
)
def test_other_contents_are_refused(read, changes: dict[str, bytes | None], message: str) -> None:
    with pytest.raises(SpecflowError, match=f"data_batch_2: ({message})"):
        read(packed(members(data_batch_2=batch(**changes))))


@pytest.mark.parametrize("body", [b"", b"no pickle", batch()[:-1], batch()[:5000], b"K\x01."])
def test_broken_pickle_is_named(read, body: bytes) -> None:
    with pytest.raises(SpecflowError, match=r"data_batch_5: (cannot be unpickled|is a int)"):
        read(packed(members(data_batch_5=body)))


def test_missing_batch_is_named(read) -> None:
    with pytest.raises(SpecflowError, match="has no cifar-10-batches-py/data_batch_4; expected"):
        read(packed(members(data_batch_4=None)))


def test_too_large_batch_is_not_read(read) -> None:
    with pytest.raises(SpecflowError, match=r"data_batch_1 has 20000000 bytes; expected at most"):
        read(packed(members(data_batch_1=bytes(20_000_000))))


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "../secret"),
        (tarfile.SYMTYPE, "data_batch_2"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_batch_that_is_no_plain_file_is_refused(read, kind: bytes, target: str) -> None:
    link = member("cifar-10-batches-py/data_batch_1", kind, target)
    with pytest.raises(SpecflowError, match="data_batch_1 is no plain file"):
        read(packed(members(data_batch_1=None), link))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        gzip.compress(b"no tar"),
        *(packed(members())[:-n] for n in (-100, 900, 9000)),
    ],
    ids=["empty", "page", "no_tar", "start", "end_cut", "more_cut"],
)
def test_file_that_is_no_whole_archive_is_named(read, content: bytes) -> None:
    with pytest.raises(SpecflowError, match=r"cifar\.tar\.gz: cannot be read"):
        read(content)


PARAMS = Cifar10Params(kind="cifar10", image_size=32, validation_fraction=0.0001, seed=0)


@pytest.fixture
def small_set(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive in the raw folder, with few images: its checksum and size are replaced."""
    content = packed(members())
    path = paths.raw_data() / cifar10.ARCHIVE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    small = RawFile(path.name, len(content), digest, cifar10.ARCHIVE.urls)
    monkeypatch.setattr(cifar10, "ARCHIVE", small)
    read_archive = cifar10.read_archive
    monkeypatch.setattr(cifar10, "read_archive", lambda path: read_archive(path, SIZE))
    return path


def test_archive_put_there_by_hand_is_prepared(small_set: Path) -> None:
    PARAMS.prepare(Path("cifar10.h5"))
    dataset = load(Path("cifar10.h5"))
    assert dataset.train["inputs"].shape == (15, 3, 32, 32)
    assert dataset.validation["inputs"].shape == (PARAMS.num_validation, 3, 32, 32)
    labels = [*dataset.train["targets"].tolist(), *dataset.validation["targets"].tolist()]
    assert sorted(labels) == sorted(label for labels in LABELS for label in labels)
    assert [path.name for path in small_set.parent.iterdir()] == [small_set.name]


def test_checksum_comes_before_unpacking(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_set.write_bytes(packed(members(data_batch_1=HOSTILE["system"])))
    monkeypatch.setattr(cifar10, "read_archive", lambda path: pytest.fail("was unpacked"))
    with pytest.raises(SpecflowError, match=r"cifar-10-python\.tar\.gz: SHA-256 .*toronto"):
        PARAMS.prepare(Path("cifar10.h5"))
    assert not Path("cifar10.h5").exists()
