"""Tasks of an array, without SLURM: each member is taken once, by whoever is first."""

import pickle
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from tests.executor.counting import Counting, count

from specflow.executor.slurm import commands, worker
from specflow.executor.slurm.arrays import Array
from specflow.executor.slurm.commands import ClusterError
from specflow.executor.slurm.members import End, Folder, Sent
from specflow.executor.slurm.settings import ClusterParams, Resources

MEMBERS = 60


@pytest.fixture
def array(tmp_path):
    array = Array(tmp_path / "array")
    array.put(Folder(tmp_path / str(place)) for place in range(MEMBERS))
    return array


def test_each_member_is_taken_once_by_tasks_side_by_side(array):
    tasks = 8
    with ThreadPoolExecutor(tasks) as pool:
        found = list(pool.map(lambda task: list(array.take(task)), range(tasks)))
    assert sorted(int(folder.path.name) for own in found for folder in own) == list(range(MEMBERS))
    takers = array.takers()
    for task, own in enumerate(found):
        assert {place for place, taker in takers.items() if taker == task} == {
            int(folder.path.name) for folder in own
        }


def test_task_that_is_started_again_begins_with_what_it_had(array):
    before = list(islice(array.take(1), 3))
    list(islice(array.take(2), 2))
    again = list(array.take(1))
    assert again[:3] == before
    assert len(again) == MEMBERS - 2


def test_listing_of_a_moment_ago_neither_ends_a_task_nor_keeps_it_looking(array, monkeypatch):
    before = array.takers()
    others = [int(folder.path.name) for folder in islice(array.take(1), 20)]
    look, looks = Array.takers, []

    def late(self):
        looks.append(1)
        return before if len(looks) < 50 else look(self)

    monkeypatch.setattr(Array, "takers", late)
    found = [int(folder.path.name) for folder in array.take(2)]
    assert sorted(found + others) == list(range(MEMBERS))


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """An array of three members that count to 1, and its task 0, here."""
    monkeypatch.chdir(tmp_path)
    for name in ("pids", "counted", "results"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    monkeypatch.setenv("SPECFLOW_WORKERS", "1")  # which the task sets, and is put back after it
    members = []
    for place, name in enumerate("abc"):
        job = Counting(name, 1, 0.0, "")
        members.append(Folder.of(count, job))
        members[-1].put(count, job)
        members[-1].send(Sent("", "array", place, 1, 0))
    Array.named("array").put(members)
    return members


def done() -> str:
    return "".join(name for name in "abc" if Path("results", name).exists())


@pytest.mark.parametrize(("seconds", "some"), [(0.0, "a"), (60.0, "abc")])
def test_task_takes_another_member_only_as_long_as_its_time_allows(counting, seconds, some):
    worker.main(Array.named("array").path, seconds)
    assert done() == some
    assert [folder.end_in("array") is not None for folder in counting] == [n in some for n in "abc"]


def test_task_leaves_alone_what_has_ended_or_is_in_another_array_by_now(counting):
    counting[0].finish("array", None)
    counting[1].send(Sent("", "another", 0, 2, 0))
    worker.main(Array.named("array").path, 60)
    assert done() == "c"


@pytest.mark.parametrize(("fault", "some"), [("broken", "bc"), ("bug", "")])
def test_process_goes_on_after_an_error_that_a_user_can_mend_and_no_other(counting, fault, some):
    counting[0].put(count, Counting("a", 1, 0.0, fault))
    worker.main(Array.named("array").path, 60)
    assert counting[0].end_in("array").error is not None
    assert done() == some


def test_what_another_version_has_written_is_nothing_to_attach_to(counting):
    for name, kind in (("sent", Sent), ("end", End)):
        other = kind.__new__(kind)
        vars(other)["task"] = "array", 0
        (counting[0].path / name).write_bytes(pickle.dumps(other))
    assert counting[0].sent is None
    assert counting[0].end_in("array") is None


def test_folder_where_slurm_would_write_no_log_is_refused(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)  # nothing is sent
    cluster = ClusterParams(core=Resources(cpus=1, minutes=1), machine=Resources(cpus=1, minutes=1))
    with pytest.raises(ClusterError, match=r"a\\b/array: has a backslash; expected none"):
        commands.submit(Path(r"a\b/array"), 1, ["true"], cluster, cluster.core)
