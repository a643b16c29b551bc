"""Damaged results and scratch: found when they are read, and what is not found is no damage."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from tests.attacks.attempts import attempt
from tests.attacks.damage import damaged
from tests.checkpoints.trajectories import write
from tests.studies.made_up import write_pruning, write_spectra

from specflow.checkpoints.trajectory import TRAJECTORY
from specflow.errors import BrokenFileError
from specflow.frames import read_table, write_table
from specflow.hdf5 import open_file
from specflow.json_files import read_json, write_json
from specflow.measure.layouts import PRUNING, SPECTRA
from specflow.scratch import Scratch


def write_weights(path):
    write(path, [0, 5, 10], {"a.weight": np.ones((9, 7), np.float32), "b": np.ones(5)})


def write_rows(path):
    write_table(path, pd.DataFrame({"experiment": ["a", "b"], "value": [0.125, np.nan]}))


def write_scores(path):
    write_json(path, {"claim": {"value": 0.5, "low": -1e-9}, "sum": [1, 2, None]})


def arrays(layout):
    def read(path):
        found = {}

        def take(name, one):
            found[name] = {key: str(value) for key, value in one.attrs.items()}
            if isinstance(one, h5py.Dataset):
                found[name]["array"] = one[()].tobytes()

        with open_file(path, layout) as file:
            take("/", file)
            file.visititems(take)
        return found

    return read


RESULTS = {
    "trajectory.h5": (write_weights, arrays(TRAJECTORY)),
    "spectra.h5": (write_spectra, arrays(SPECTRA)),
    "pruning.h5": (write_pruning, arrays(PRUNING)),
    "table.csv": (write_rows, lambda path: read_table(path).to_csv()),
    "claims.json": (write_scores, lambda path: json.dumps(read_json(path), sort_keys=True)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_no_damaged_result_is_read_as_another_one(tmp_path, attacks, name):
    make, read = RESULTS[name]
    path = tmp_path / name
    make(path)
    content, expected, found = path.read_bytes(), read(path), 0
    for rng in attacks(50):
        path.unlink()  # what has been checked is known by inode and time
        path.write_bytes(damaged(content, rng))
        value, error = attempt(lambda: read(path))
        if error is None:
            assert value == expected
        else:
            assert isinstance(error, BrokenFileError)
            assert str(path) in str(error)
            found += 1
    assert found > 10
    path.unlink()
    make(path)
    assert read(path) == expected


def test_no_damaged_part_of_scratch_is_taken_up(tmp_path, attacks, capsys):
    scratch = Scratch(tmp_path / "work")
    part = {"weights": {"a": torch.arange(300.0)}, "step": 5}
    with scratch.locked():
        scratch.save("part", part)
    content = (scratch.folder / "part").read_bytes()
    for rng in attacks(50):
        (scratch.folder / "part").write_bytes(damaged(content, rng))
        with scratch.locked():
            assert not scratch.has("part")
            assert "what it held is done again" in capsys.readouterr().err
            scratch.save("part", part)
        assert (scratch.folder / "part").read_bytes() == content
