"""Files of torch.save that would do more than hold tensors: nothing is executed or imported."""

import io
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch
from tests.checkpoints.test_torch_files import of_any_format, save

from specflow.checkpoints.opening import open_checkpoint


class Hostile:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@of_any_format
def test_call_beside_weights_is_listed_and_not_made(tmp_path, is_archive):
    path = tmp_path / "model.pt"
    save({"w": torch.ones(2, 2), "x": Hostile(tmp_path / "executed")}, path, is_archive)
    before = set(sys.modules)
    with open_checkpoint(path) as file:
        assert file.skipped == {"x": f"of type {os.name}.system: no tensor"}
        assert torch.equal(file.read("w"), torch.ones(2, 2))
    assert set(sys.modules) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]


def test_the_same_file_runs_where_nothing_refuses_it(tmp_path):
    torch.save(Hostile(tmp_path / "executed"), tmp_path / "model.pt")
    torch.load(tmp_path / "model.pt", weights_only=False)
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_of_another_kind_is_named(tmp_path, refused, protocol):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"w": np.ones(3)}, protocol))
    refused(path, "a pickle, but not by torch.save; expected a state dict")


def archive_of(path, content, records=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", content)
        for name, data in records:
            archive.writestr(f"a/{name}", data)
    return path


def persistent(*identifier):
    """Pickle a dict with one object outside of the pickle, of this identifier."""

    class Outside:
        pass

    class Writer(pickle.Pickler):
        def persistent_id(self, value):
            return identifier if isinstance(value, Outside) else None

    file = io.BytesIO()
    Writer(file, 2).dump({"w": Outside()})
    return file.getvalue()


@pytest.mark.parametrize(
    "identifier",
    [
        ("file", "/etc/passwd"),
        ("storage", torch.FloatStorage, "../../x", "cpu", 4),
        ("storage", torch.FloatStorage, "0", "cpu", 2**62),
        ("storage", torch.FloatStorage, "0", "cpu", -4),
        ("storage", torch.FloatStorage, ("0",) * 3, "cpu", 4),
        ("storage", torch.FloatStorage, "0", "cpu", 4, ("1", 0, 2)),
        ("storage", os.system, "0", "cpu", 4),
        "storage",
        (),
    ],
)
def test_outer_object_of_another_kind_is_refused(tmp_path, refused, identifier):
    content = persistent(*identifier) if isinstance(identifier, tuple) else b"}Pstorage\n."
    path = archive_of(tmp_path / "a.pt", content, [("data/0", bytes(16))])
    refused(path, "broken or truncated")


def test_dtype_is_not_looked_up_in_torch(tmp_path, refused):
    """Some names of torch are imported when they are looked up."""
    path = save({"w": torch.ones(2, 2).to(torch.float8_e4m3fn)}, tmp_path / "a.pt")
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    pickled = content["a/data.pkl"]
    assert b"float8_e4m3fn" in pickled
    other = pickled.replace(b"float8_e4m3fn", b"_inductor")
    before = set(sys.modules)
    refused(archive_of(tmp_path / "b.pt", other, [("data/0", bytes(4))]), "a tensor of dtype")
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (2**62, 2**62, 0), (1, 1, 1)),
        (0, (-2, 2), (1, 1)),
        (-1, (2, 2), (2, 1)),
        (0, (2, 2), (2, -1)),
        (0, (1,) * 65, (1,) * 65),
        (0, (2.0, 2), (2, 1)),
        (0, (2, 2), (2,)),
        (0, (2, 2), (2**61, 1)),
        (3, (2, 2), (2, 1)),
    ],
)
def test_tensor_of_no_possible_shape_is_refused(tmp_path, refused, offset, shape, stride):
    storage = torch.ones(4).untyped_storage()

    class Claim:
        def __reduce__(self):
            typed = torch.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
            return torch._utils._rebuild_tensor_v2, (typed, offset, shape, stride, False, {})

    path = save({"w": Claim()}, tmp_path / "a.pt")
    refused(path, "broken")
