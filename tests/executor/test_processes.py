import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.toy_project import heed_interrupts
from tqdm import tqdm

from specflow import executor
from specflow.errors import BrokenFileError, SpecflowError
from specflow.executor import num_workers, run_in_slots
from specflow.executor.processes import run_in_processes
from specflow.executor.slots import Slot, gpu_slots, slots_for

SOURCE = Path(executor.__file__).parents[2]


def write_own_process(job, report):
    Path(job).write_text(str(os.getpid()))
    report(1)


def fail_on_negative(job, report):
    path, number = job
    if number < 0:
        raise SpecflowError(f"got {number}")
    Path(path).write_text(str(number))


def break_down(job, report):
    raise RuntimeError("our own bug")


def run(function, jobs, workers):
    run_in_slots([Slot(1)] * workers, function, jobs, title="test", total=len(jobs))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_member_runs(tmp_path, workers):
    jobs = {name: str(tmp_path / name) for name in "abc"}
    run(write_own_process, jobs, workers)
    processes = {(tmp_path / name).read_text() for name in "abc"}
    here = str(os.getpid())
    assert (processes == {here}) if workers == 1 else (here not in processes)


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_named_and_do_not_stop_the_others(tmp_path, workers):
    jobs = {"a": (str(tmp_path / "a"), -1), "b": (str(tmp_path / "b"), 2), "c": ("", -3)}
    with pytest.raises(SpecflowError, match="a: got -1; c: got -3"):
        run(fail_on_negative, jobs, workers)
    assert (tmp_path / "b").read_text() == "2"


@pytest.mark.parametrize("workers", [1, 2])
def test_bugs_are_not_hidden(workers):
    with pytest.raises(RuntimeError, match="our own bug"):
        run(break_down, {"a": 1, "b": 2}, workers)


def find_broken(job, report):
    raise BrokenFileError(Path(job), "no dataset 'S'", "measure")


def test_error_of_a_broken_file_comes_whole_from_a_worker(tmp_path):
    jobs = {name: str(tmp_path / name) for name in "ab"}
    with tqdm(disable=True) as bar:
        failures = run_in_processes(find_broken, jobs, bar, [Slot(1)] * 2)
    for name, error in failures.items():
        assert type(error) is BrokenFileError
        assert str(error) == f"{jobs[name]}: no dataset 'S'; `dvc repro measure` writes it"
    assert [*failures] == ["a", "b"]


def kill_or_write(job, report):
    if Path(job).name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    Path(job).write_text("done")


def test_killed_worker_fails_its_own_member_and_the_others_finish(tmp_path):
    jobs = {name: str(tmp_path / name) for name in "abcde"}
    with pytest.raises(SpecflowError, match=r"^b: a worker was killed[^:]*$"):
        run(kill_or_write, jobs, 2)
    assert {path.name for path in tmp_path.iterdir()} == set("acde")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", ""])
def test_bad_number_of_workers_is_refused(monkeypatch, value):
    monkeypatch.setenv("SPECFLOW_WORKERS", value)
    with pytest.raises(SpecflowError, match=r"SPECFLOW_WORKERS.*whole number"):
        num_workers()


def test_number_of_workers_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SPECFLOW_WORKERS", "3")
    assert num_workers() == 3
    monkeypatch.delenv("SPECFLOW_WORKERS")
    assert num_workers() >= 1


def note_slot(job, report):
    names = ("SPECFLOW_WORKERS", "CUDA_VISIBLE_DEVICES")
    slot = " ".join(os.environ[name] for name in names)
    Path(job).write_text(slot)
    others = Path(job).parent
    while len(list(others.iterdir())) < 3:  # so that no slot gets two
        time.sleep(0.01)


def test_members_fill_every_slot_of_a_pool(tmp_path):
    slots = [Slot(2, "7"), Slot(3, "GPU-5"), Slot(2, "7")]
    jobs = {name: str(tmp_path / name) for name in "abc"}
    run_in_slots(slots, note_slot, jobs, title="test", total=3)
    assert sorted((tmp_path / name).read_text() for name in "abc") == ["2 7", "2 7", "3 GPU-5"]


def test_slot_of_a_killed_worker_is_filled_again(tmp_path):
    jobs = {name: str(tmp_path / name) for name in "bacd"}
    with pytest.raises(SpecflowError, match=r"^b: a worker was killed"):
        run_in_slots([Slot(1, "0"), Slot(1, "1")], kill_or_write, jobs, title="test", total=4)
    assert {path.name for path in tmp_path.iterdir()} == set("acd")


@pytest.mark.parametrize(
    ("given", "names"),
    [(None, ["0", "1", "0", "0", "0"]), ("1", ["0", "1"]), ("2", ["0", "1", "0", "1"])],
)
def test_gpus_have_members_by_memory_or_as_said_one_of_each_gpu_first(monkeypatch, given, names):
    if given is not None:
        monkeypatch.setenv("SPECFLOW_MEMBERS_PER_DEVICE", given)
    slots = gpu_slots({"0": 80 * 2**30, "1": 11 * 2**30}, workers=12)
    assert [slot.gpu for slot in slots] == names
    assert all(slot.workers == 12 // len(names) for slot in slots)


def test_number_of_members_of_a_gpu_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("SPECFLOW_MEMBERS_PER_DEVICE", "many")
    with pytest.raises(SpecflowError, match=r"SPECFLOW_MEMBERS_PER_DEVICE: got 'many'"):
        gpu_slots({"0": 2**30}, workers=2)


def test_cores_have_a_member_each_or_one_all_of_them(monkeypatch):
    monkeypatch.setenv("SPECFLOW_WORKERS", "3")
    monkeypatch.setenv("SPECFLOW_DEVICE", "cpu")
    assert slots_for("core") == [Slot(1)] * 3
    assert slots_for("machine") == [Slot(3)]


def test_orphan_ends_soon_after_its_parent_is_killed(tmp_path):
    pid = tmp_path / "pid"
    child = (
        "import os, time; from specflow.executor.orphans import exit_with_parent; "
        "exit_with_parent(os.getppid()); "
        f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment)
    while not (pid.exists() and pid.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    await_end(psutil.Process(int(pid.read_text())))


def await_end(process):
    deadline = time.monotonic() + 10
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "it is still there"
            time.sleep(0.05)


@pytest.mark.parametrize(("children", "begun"), [(2, False), (3, False), (3, True)])
def test_interrupt_of_workers_is_one_line_and_ends_them(tmp_path, children, begun):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, threading, time, pathlib\n"
        "from specflow.executor import Slot, run_in_slots\n"
        "from specflow.stage import exit_on_error\n"
        "def work(job, report):\n"
        "    pathlib.Path(job).touch()\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # may take it\n"
        "    with exit_on_error():\n"
        "        jobs = {name: name for name in 'ab'}\n"
        "        run_in_slots([Slot(1)] * 2, work, jobs, title='test', total=2)\n"
    )
    process = psutil.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=heed_interrupts,
    )
    while len(process.children()) < children or (begun and not (tmp_path / "a").exists()):
        assert process.poll() is None
    workers = process.children()
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all of them
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted; the same command resumes\n")
    for worker in workers:
        await_end(worker)
