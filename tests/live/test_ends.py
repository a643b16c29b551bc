"""However a training, what measures beside it, or a logger ends: nothing measured is lost."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
import torch
from tests.live.trainings import is_measured, network, tell, train

import specflow
from specflow.errors import SpecflowError
from specflow.live.network import Network
from specflow.live.transfers import Transfer


def test_end_of_the_process_beside_it_is_said_and_the_training_goes_on(tmp_path):
    model = network()
    watch = specflow.watch(model, tmp_path / "run.h5", every=1, budget=1)
    watch._beside._process.kill()
    watch._beside._reader.join()
    with pytest.warns(UserWarning, match="process beside it has ended, with exit status -9"):
        states = train(model, watch.step, last=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.close()
    assert list(states) == [0, 1, 2]


def test_file_has_the_last_step_while_none_follows(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, leading=1, budget=1)
    for step in range(3):
        watch.step(step)
        while not is_measured(tmp_path / "run.h5", [*range(step + 1)]):
            time.sleep(0.01)
    assert (tmp_path / "run.leading.h5").exists()
    watch.close()


def test_what_was_copied_before_a_kill_is_measured(tmp_path):
    program = """
import os, signal, sys
import specflow
from tests.live.trainings import network
watch = specflow.watch(network(), sys.argv[1], every=1, leading=1, budget=1)
for step in range(3):  # the process beside it has not yet begun
    watch.step(step)
print(watch._beside._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", program, tmp_path / "run.h5"]
    killed = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL
    beside = int(killed.stdout)
    while is_alive(beside):
        time.sleep(0.01)
    assert is_measured(tmp_path / "run.h5", [0, 1, 2])
    assert is_measured(tmp_path / "run.leading.h5", [0, 1, 2])


def test_steps_that_wait_too_long_are_given_up_evenly_and_the_last_one_stays(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, budget=1)
    watch._beside._process.send_signal(signal.SIGSTOP)
    with pytest.warns(UserWarning, match="not all steps that are due are measured: those before"):
        tell(watch, range(100))
    watch._beside._process.send_signal(signal.SIGCONT)
    with pytest.warns(UserWarning, match="not measured: 84 steps of those that were due"):
        watch.close()
    with h5py.File(tmp_path / "run.h5") as file:
        steps = file["step"][:].tolist()
    assert len(steps) == 16
    assert steps[:4] == [0, 1, 2, 3]
    assert steps[-1] == 99
    gaps = [after - before for before, after in pairwise(steps[3:-1])]
    assert max(gaps) <= 3 * min(gaps)


def test_training_that_begins_anew_says_that_it_replaces_what_was_there(tmp_path):
    path = tmp_path / "run.h5"
    with specflow.watch(network(), path, every=1, budget=1) as watch:
        tell(watch, range(3))
    watch = specflow.watch(network(), path, every=1, budget=1)
    watch.step(0)
    with pytest.warns(UserWarning, match=r"run\.h5: begun again before all 3 steps that were here"):
        watch.close()
    with specflow.watch(network(), path, every=1, budget=1) as watch:  # goes on
        tell(watch, [1])
    assert is_measured(path, [0, 1])


def test_dropped_steps_are_counted_though_the_process_beside_has_ended(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, budget=1)
    watch._beside._process.send_signal(signal.SIGSTOP)
    with pytest.warns(UserWarning, match="not all steps that are due are measured: those before"):
        tell(watch, range(30))
    watch._beside._process.kill()
    watch._beside._reader.join()
    with pytest.warns(UserWarning, match="specflow.watch: ") as said:
        watch.step(30)
    told = [str(one.message) for one in said]
    assert "exit status -9; training goes on, and is watched no more" in told[0]
    assert "not measured: 14 steps of those that were due" in told[1]
    watch.close()


def test_what_is_no_number_is_left_out_and_said_once(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, budget=1)
    with pytest.warns(UserWarning, match="specflow.watch: ") as said:
        watch.step(0, loss=None, each=torch.ones(2), value=0)
    assert [str(one.message).partition("run.h5: ")[2] for one in said] == [
        "loss: got NoneType; expected a number",
        "each: got Tensor of shape (2,); expected a number",
    ]
    assert {one.filename for one in said} == {__file__}
    for step in (1, 2):
        watch.step(step, loss=None, each=torch.ones(2), value=step / 2)
    watch.close()
    assert is_measured(tmp_path / "run.h5", [0, 1, 2])
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["given"].attrs["names"] == '["value"]'
        assert file["given"][:].tolist() == [[0], [0.5], [1]]


def test_steps_are_told_in_order_once_their_copies_are_there(tmp_path, monkeypatch):
    """As of a GPU, which is still copying when the training goes on."""
    later = []

    class Slow(Transfer):
        is_done = property(lambda self: self in later)

        def wait(self):
            return 0.25

    monkeypatch.setattr("specflow.live.watch.Transfer", Slow)
    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, budget=1)
    for step in range(3):
        watch.step(step)
    pending = [one.transfer for one in watch._beside._pending]
    assert len(pending) == 3
    assert len(watch._beside.free) == watch._beside.buffers.count - 3
    later.append(pending[1])
    watch.step(3)
    assert len(watch._beside._pending) == 4
    later.append(pending[0])
    spent = watch._budget._spent
    watch._flush()
    assert watch._budget._spent == spent + 0.5
    assert watch._beside._pending[0].transfer is pending[2]
    watch.close()
    assert is_measured(tmp_path / "run.h5", [0, 1, 2, 3])


def test_no_more_memory_is_taken_than_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(SpecflowError, match=r"no memory for copies .*; 1e-06 GB are free"):
        specflow.watch(network(), tmp_path / "run.h5")


def test_whatever_goes_wrong_the_training_goes_on(tmp_path, monkeypatch):
    def fails(*given):
        raise RuntimeError("no network")

    watch = specflow.watch(network(), tmp_path / "run.h5", every=1, budget=1, sinks=[fails])
    watch.step(0)
    with pytest.warns(UserWarning, match="sinks: RuntimeError: no network; it is told no more"):
        watch.close()
    assert is_measured(tmp_path / "run.h5", [0])
    watch = specflow.watch(network(), tmp_path / "other.h5", every=1, budget=1)
    monkeypatch.setattr(Network, "copy_to", fails)
    with pytest.warns(UserWarning, match="step 0: RuntimeError: no network; training goes on"):
        watch.step(0)
    watch.step(1)
    watch.close()


def test_children_of_the_training_keep_no_watch_from_ending(tmp_path):
    """They inherit its pipes, as workers of a DataLoader do."""
    watch = specflow.watch(network(), tmp_path / "run.h5")
    watch.step(0)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        watch.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert is_measured(tmp_path / "run.h5", [0])


def test_cores_are_yielded_until_the_training_waits(tmp_path):
    """Else what remains could take as long as others keep all cores busy."""
    if not may_take_back():
        pytest.skip("needs the right to raise a priority (CAP_SYS_NICE, or a limit of nice)")
    watch = specflow.watch(network(), tmp_path / "run.h5")
    watch.step(0)
    process = watch._beside._process
    threads = Path(f"/proc/{process.pid}/task")
    while len(os.listdir(threads)) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    assert policies(threads) == {os.SCHED_IDLE}
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(watch.close)
        try:
            while policies(threads) != {os.SCHED_OTHER}:
                assert not closing.done()
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGCONT)
    assert is_measured(tmp_path / "run.h5", [0])


def may_take_back() -> bool:
    """Whether this user may give a thread cores as others have them, once it had none."""
    with ThreadPoolExecutor(1) as pool:  # its thread tries
        for policy in (os.SCHED_IDLE, os.SCHED_OTHER):
            tried = pool.submit(os.sched_setscheduler, 0, policy, os.sched_param(0))
    return tried.exception() is None


def policies(threads: Path) -> set[int]:
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir(threads)}


def test_watch_that_is_forgotten_ends_its_process(tmp_path):
    watch = specflow.watch(network(), tmp_path / "run.h5")
    watch.step(0)
    process = watch._beside._process
    del watch
    gc.collect()
    assert process.wait(60) == 0
    process.stdin.close()
    assert is_measured(tmp_path / "run.h5", [0])


PROGRAM = """
import sys, time
import specflow
from tests.live.trainings import network, train
model = network()
watch = specflow.watch(model, sys.argv[1], every=1, budget=1)
def step(number, loss):
    watch.step(number, loss=loss)
    time.sleep(0.02)
train(model, step, last=100000)
"""


@pytest.mark.slow
def test_killed_training_leaves_a_file_with_every_whole_row(tmp_path):
    """If all its processes are killed, the file may lack the last ones; none is lost."""
    chance, path = random.Random(0), tmp_path / "run.h5"
    rows, seen = tmp_path / "run.h5.rows", []
    for beside in (False, True, True):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, path], start_new_session=True)
        before = len(list(rows.glob("0*[0-9]")))
        while process.poll() is None and len(list(rows.glob("0*[0-9]"))) < 5 + before * beside:
            time.sleep(0.01)
        time.sleep(chance.random())
        workers = children_of(process.pid)
        for pid in (process.pid, *(workers if beside else ())):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        while any(map(is_alive, workers)):
            time.sleep(0.01)
        with h5py.File(path) as file:
            seen.append(file["step"][:].tolist())
        whole = sorted(
            int(one.name) for one in rows.glob("0*[0-9]") if (one / "step000000").exists()
        )
        if not beside:
            assert seen[-1] == whole
        assert seen[-1] == whole[: len(seen[-1])]
    model = network()
    with specflow.watch(model, path, every=1, budget=1) as watch:
        watch.step(10**6)
    assert is_measured(path, [*whole, 10**6])


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
