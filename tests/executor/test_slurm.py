"""Members on a real SLURM: whatever is killed, nothing is lost and nothing is done twice."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file
from tests.executor.counting import CLUSTER, Counting, Project, count
from tests.executor.toy_cluster import ToyCluster, await_that, needs_slurm
from tests.measure.walks import layers, walk

from specflow.analysis import QUICK, analyze_to
from specflow.errors import SpecflowError
from specflow.executor import run_members
from specflow.executor.slurm import controller

pytestmark = needs_slurm
WAIT = 120  # seconds


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with ToyCluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def project(cluster, tmp_path):
    """A project of a name that a shell would read otherwise; in the end no job is left of it."""
    project = Project(tmp_path / "it's $HOME; 100%a", cluster.environment)
    yield project
    await_that(lambda: not cluster.jobs(project.folder), WAIT)


@pytest.fixture(scope="module", autouse=True)
def over_time(cluster, tmp_path_factory):
    """A member that needs longer than its minute, begun beside all other tests."""
    project = Project(tmp_path_factory.mktemp("slow"), cluster.environment)
    process = project.begin(300, 1.0, slow="")
    yield project, process
    process.kill()
    process.communicate()


def end(process, status=0):
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == status, errors
    return errors


def await_line(process, text):
    """Return the line with a text, of what a process says."""
    return next(line for line in process.stderr if text in line)


def await_counted(project, *names, least=2):
    await_that(lambda: all(len(project.counted(name)) >= least for name in names), WAIT)


def check(project, units, *names, again=0):
    """Every unit was done, in order; of each kill the one in flight at most is done again."""
    for name in names:
        assert project.is_done(name)
        found = project.counted(name)
        assert sorted(set(found)) == list(range(units))
        assert len(found) <= units + again
        assert found == sorted(found)


def test_more_members_than_an_array_takes_give_what_they_give_here(project, tmp_path):
    names = dict.fromkeys("abcde", "")
    small = Project(project.folder / "x", project.environment, f"{CLUSTER}array_limit: 2")
    errors = end(small.begin(3, 0.0, **names))
    assert errors.count("submitted 2 members as job") == 2
    check(small, 3, *names)
    here = Project(tmp_path / "here", dict(os.environ), cluster="")
    end(here.begin(3, 0.0, **names))
    for name in names:
        assert small.result(name) == here.result(name)


def test_errors_arrive_as_they_are_and_the_others_finish(project):
    errors = end(project.begin(3, 0.0, a="broken", b=""), status=1)
    assert errors.endswith(
        "error: a: results/x.h5: is broken; `specflow forget results/x.h5` "
        "drops it, in DVC's cache too, and then `dvc repro` makes it again\n"
    )
    check(project, 3, "b")


def test_bugs_arrive_with_their_type_and_end_the_others(project, cluster):
    errors = end(project.begin(50, 0.5, a="bug", b=""), status=1)
    assert "LookupError: our own bug\nin a, on n" in errors
    assert not project.is_done("b")


def test_killed_member_is_submitted_again_and_goes_on(project):
    process = project.begin(30, 0.5, a="", b="")
    await_counted(project, "a", "b")
    os.kill(project.pid("a"), signal.SIGKILL)
    await_line(process, "a: SLURM says FAILED; it is submitted again")
    project.let_go()
    end(process)
    check(project, 30, "a", "b", again=1)


def test_one_process_runs_member_after_member_and_the_next_one_goes_on(project):
    """What is killed is one member; those before are not done again, those after not blamed."""
    single = Project(project.folder / "x", project.environment, f"{CLUSTER}members_at_once: 1")
    process = single.begin(6, 0.3, **dict.fromkeys("abcd", ""))
    await_counted(single, "b")
    assert single.pid("a") == single.pid("b")
    os.kill(single.pid("b"), signal.SIGKILL)
    single.let_go()
    errors = end(process)
    assert errors.count("submitted again") == errors.count("b: SLURM says FAILED") == 1
    assert single.pid("c") == single.pid("d")
    check(single, 6, *"acd")
    check(single, 6, "b", again=1)


def test_requeued_member_does_not_wait_and_goes_on(project, cluster):
    process = project.begin(300, 0.2, a="")
    await_counted(project, "a")
    first = project.pid("a")
    cluster.run("scontrol", "requeue", *cluster.jobs(project.folder))
    await_that(lambda: project.pid("a") != first, WAIT)
    project.let_go()
    end(process)
    check(project, 300, "a", again=1)


def test_members_of_a_node_whose_power_is_cut_go_on_elsewhere(project, cluster, over_time):
    process = project.begin(300, 0.5, a="", b="", c="", d="")
    await_counted(project, *"abcd")
    slow = over_time[0]  # perhaps between two processes
    await_that(lambda: psutil.pid_exists(slow.pid("slow")), WAIT)
    spared = cluster.node_of(slow.pid("slow"))
    nodes = {cluster.node_of(project.pid(name)) for name in "abcd"}
    node = next(iter(nodes - {spared}))
    cluster.cut_power(node)
    project.let_go()
    try:
        end(process)
    finally:
        cluster.start_node(node)
    check(project, 300, *"abcd", again=1)


def test_members_outlive_the_controller(project, cluster):
    process = project.begin(10, 5.0, a="", b="")
    await_counted(project, "a", "b", least=1)
    cluster.kill_controller()
    project.let_go()
    await_that(lambda: project.is_done("a") and project.is_done("b"), WAIT)
    cluster.start_controller()
    end(process)
    check(project, 10, "a", "b")


def test_members_are_submitted_when_the_controller_is_back(project, cluster):
    cluster.kill_controller()
    process = project.begin(2, 0.0, a="")
    line = process.stderr.readline()
    assert "contact slurm controller" in line
    assert line.endswith("waiting for it\n")
    cluster.start_controller()
    end(process)
    check(project, 2, "a")


def test_next_process_attaches_to_the_members_of_a_killed_one(project):
    """To the one under way, and to one that its task has not taken yet."""
    single = Project(project.folder / "x", project.environment, f"{CLUSTER}members_at_once: 1")
    process = single.begin(300, 0.3, a="", b="")
    await_counted(single, "a")
    process.kill()
    process.communicate()
    first = single.pid("a")
    process = single.begin(300, 0.3, a="", b="")
    await_line(process, "attached to 2 members under way")
    single.let_go()
    end(process)
    assert single.pid("a") == single.pid("b") == first
    check(single, 300, "a", "b")


def test_tasks_that_cannot_begin_say_why(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    for name in ("SLURM_CONF", "SPECFLOW_CLUSTER"):
        monkeypatch.setenv(name, project.environment[name])
    monkeypatch.setattr(controller, "_WORKER", "specflow.nowhere")
    jobs = {"a": Counting("a", 1, 0.0, "")}
    said = "a: SLURM says FAILED, 3 times without getting on; .* No module named specflow.nowhere"
    with pytest.raises(SpecflowError, match=said):
        run_members(count, jobs, title="count", total=1)


def test_members_of_other_settings_end_before_new_ones_write_to_their_place(project, cluster):
    process = project.begin(300, 0.3, a="")
    await_counted(project, "a")
    process.kill()
    process.communicate()
    end(project.begin(3, 0.0, a=""))
    assert project.result("a") == b"a 3"
    assert not cluster.jobs(project.folder)


def test_sigterm_cancels_all_members_and_the_same_command_resumes(project, cluster):
    process = project.begin(4, 5.0, **dict.fromkeys("abcdef", ""))  # not all run at a time
    await_counted(project, "a", least=1)
    process.send_signal(signal.SIGTERM)
    assert end(process, 130).endswith("interrupted; the same command resumes\n")
    await_that(lambda: not cluster.jobs(project.folder), WAIT)
    project.let_go()
    end(project.begin(4, 0.3, **dict.fromkeys("abcdef", "")))
    check(project, 4, *"abcdef", again=1)


def test_member_that_somebody_cancels_fails_and_the_others_finish(project, cluster):
    process = project.begin(300, 0.3, a="", b="")
    await_counted(project, "a", "b")
    first = project.job("a", cluster.jobs(project.folder))
    cluster.run("scancel", first)
    await_that(lambda: first not in cluster.jobs(project.folder), WAIT)
    project.let_go()
    assert f"error: a: job {first} was cancelled by somebody else" in end(process, 1)
    check(project, 300, "b")


def test_check_tells_what_a_node_is_and_that_locks_are_seen_there(project):
    command = [sys.executable, "-m", "specflow", "cluster", "check"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for line in ("partition: main", "cores: 1", f"torch: {torch.__version__}", "device: cpu"):
        assert line in done.stdout.splitlines()
    assert not list((project.folder / ".specflow" / "slurm").glob("check-*.json"))


def test_ranges_of_steps_give_the_bytes_of_one_process(project, cluster, monkeypatch):
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # so that this folder counts as shared
    for step, state in enumerate(walk(layers(12, 20, 16, 8)[0], 25)):
        save_file(state, f"step{step}.safetensors")
    analyze_to("step*.safetensors", {}, Path("here/run"), QUICK)
    for name in ("SLURM_CONF", "SPECFLOW_CLUSTER"):
        monkeypatch.setenv(name, project.environment[name])
    analyze_to("step*.safetensors", {}, Path("there/run"), QUICK)
    assert len(list(Path(".specflow/slurm").glob("ranges-*"))) == 2
    for name in ("spectra.h5", "audit.json", "tables/spectra.csv"):
        assert Path("there/run", name).read_bytes() == Path("here/run", name).read_bytes()


def test_what_slurm_refuses_is_said_in_its_words(project):
    other = Project(project.folder / "x", project.environment, f"{CLUSTER}partition: nowhere")
    errors = end(other.begin(1, 0.0, a=""), 1)
    assert "cluster.yaml: sbatch: " in errors
    assert "invalid partition" in errors


def test_member_that_needs_longer_than_its_time_gets_more_as_long_as_it_gets_on(over_time):
    project, process = over_time
    await_line(process, "slow: SLURM says TIMEOUT; it is submitted again")
    project.let_go()
    end(process)
    check(project, 300, "slow", again=1)
