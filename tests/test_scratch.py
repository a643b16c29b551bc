"""Scratch is there until its work is done, and one process at a time is in it."""

import pytest
import torch
from filelock import FileLock, Timeout

from specflow.scratch import Scratch


def test_part_is_computed_once(tmp_path):
    scratch, calls = Scratch(tmp_path), []

    def compute():
        calls.append(1)
        return {"loss": 0.5, "weights": {"a": torch.ones(2)}}

    found = [scratch.remember("step3", compute) for _ in range(2)]
    assert (len(calls), found[0]["loss"], found[1]["loss"]) == (1, 0.5, 0.5)
    assert torch.equal(found[1]["weights"]["a"], torch.ones(2))


def test_folder_goes_when_its_work_ends_well_before_another_process_is_let_in(
    tmp_path, monkeypatch
):
    scratch, remove = Scratch(tmp_path / "work"), Scratch.remove
    with pytest.raises(ZeroDivisionError), scratch.until_done():
        scratch.save("part", {"number": 1 // 0})
    assert scratch.folder.is_dir()

    def locked_and_removed(self):
        with pytest.raises(Timeout):
            FileLock(self.lock).acquire(timeout=0)
        remove(self)

    monkeypatch.setattr(Scratch, "remove", locked_and_removed)
    with scratch.until_done():
        scratch.save("part", {"number": 1})
    assert not scratch.folder.exists()
