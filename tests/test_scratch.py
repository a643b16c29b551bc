"""Scratch is there until its work is done, and one process at a time is in it."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from filelock import FileLock, Timeout
from tests.sealed import flipped, sealed

from specflow import device, paths, scratch
from specflow.errors import SpecflowError
from specflow.scratch import Scratch, Work, drop_unused


def test_part_is_computed_once(tmp_path):
    work, calls = Scratch(tmp_path), []

    def compute():
        calls.append(1)
        return {"loss": 0.5, "weights": {"a": torch.ones(2)}}

    found = [work.remember("step3", compute) for _ in range(2)]
    assert (len(calls), found[0]["loss"], found[1]["loss"]) == (1, 0.5, 0.5)
    assert torch.equal(found[1]["weights"]["a"], torch.ones(2))


def test_folder_goes_when_its_work_ends_well_before_another_process_is_let_in(
    tmp_path, monkeypatch
):
    work, remove = Scratch(tmp_path / "work"), Scratch.remove
    with pytest.raises(ZeroDivisionError), work.until_done():
        work.save("part", {"number": 1 // 0})
    assert work.folder.is_dir()

    def locked_and_removed(self):
        with pytest.raises(Timeout):
            FileLock(self.lock).acquire(timeout=0)
        remove(self)

    monkeypatch.setattr(Scratch, "remove", locked_and_removed)
    with work.until_done():
        work.save("part", {"number": 1})
    assert not work.folder.exists()


@pytest.fixture
def work(workplace):
    """Work of some settings on a result, whose folder is below the root of scratch."""

    def of(*settings):
        return Scratch.of(paths.scratch_root(), "work/seed0", *settings)

    return of


def test_a_result_that_dvc_removed_before_it_noted_it_is_put_back(work, workplace):
    target = workplace / "out" / "result"
    work("a").make(target, lambda: sealed(target, b"made"))
    target.unlink()
    work("a").make(target, lambda: pytest.fail("made again"))
    assert target.read_bytes().startswith(b"made")


@pytest.mark.parametrize("other", [b"with a seal", None])
def test_a_kept_result_that_was_overwritten_is_made_again(work, workplace, other):
    """It is one file with the result that lies there."""
    target = workplace / "result"
    work("a").make(target, lambda: sealed(target, b"made"))
    content = target.read_bytes()
    if other is None:
        target.write_bytes(content[:-1])
    else:
        sealed(target, other)
    work("a").make(target, lambda: sealed(target, b"made"))
    assert target.read_bytes() == content


def test_results_of_all_settings_are_kept_while_project_or_cache_have_them(
    work, workplace, monkeypatch
):
    for setting in "ab":
        target = workplace / setting
        work(setting).make(target, lambda target=target: sealed(target, b"made"))
    (workplace / "a").unlink()
    drop_unused()
    assert len(list(paths.scratch_root().glob("*.result"))) == 2  # DVC may have removed it to run
    monkeypatch.setattr(scratch, "_SPARED", -1)
    drop_unused()
    [kept] = paths.scratch_root().glob("*.result")
    assert kept.samefile(workplace / "b")


def test_where_there_are_no_hard_links_work_is_done_again(work, workplace, monkeypatch):
    def refuse(*_):
        raise OSError("not permitted")

    target, calls = workplace / "result", []
    work("a").make(target, lambda: sealed(target, b"made"))
    target.unlink()
    monkeypatch.setattr(scratch.os, "link", refuse)
    for _ in range(2):
        work("a").make(target, lambda: (calls.append(1), sealed(target, b"made")))
    assert len(calls) == 2
    assert target.exists()


def test_a_part_that_is_damaged_while_it_is_needed_is_not_read(tmp_path):
    part = Scratch(tmp_path)
    part.save("part", {"weights": torch.ones(100)})
    content = (tmp_path / "part").read_bytes()
    (tmp_path / "part").write_bytes(flipped(content, len(content) // 2))
    for mapped in (True, False):
        with pytest.raises(SpecflowError, match=r"part: damaged.*the same command does again"):
            part.load("part", mapped=mapped)


def test_two_who_do_the_same_work_at_once_do_it_once(work, workplace, capsys):
    target, calls = workplace / "result", []

    def write():
        calls.append(1)
        time.sleep(0.3)
        sealed(target, b"made")

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work("a").make, target, write) for _ in range(2)]:
            done.result()
    assert calls == [1]
    assert target.read_bytes().startswith(b"made")
    assert "waiting for another process" in capsys.readouterr().err


def test_work_is_resumed_on_the_same_device_alone(monkeypatch):
    work = Work("a/b", ("settings", "code"))
    on_cpu = work.scratch()
    monkeypatch.setattr(device, "choose_device", lambda: torch.device("cuda", 1))
    assert work.scratch() != on_cpu
    assert replace(work, parts=("settings", "other code")).scratch() != work.scratch()
