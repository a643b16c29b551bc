"""cluster.yaml is checked as params.yaml is."""

import pytest
from tests.executor.counting import CLUSTER

from specflow.executor.slurm.settings import cluster_here, read_cluster
from specflow.section_errors import ParamsError


def test_file_of_the_variable_is_found_from_the_project(tmp_path, monkeypatch):
    monkeypatch.delenv("SPECFLOW_CLUSTER", raising=False)
    assert cluster_here() is None
    (tmp_path / "c.yaml").write_text(f'{CLUSTER}options: ["--qos=a b; rm -r $HOME", --exclusive]\n')
    monkeypatch.setenv("SPECFLOW_CLUSTER", "c.yaml")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    cluster = cluster_here()
    assert cluster.options == ("--qos=a b; rm -r $HOME", "--exclusive")
    assert [cluster.resources(needs).cpus for needs in ("core", "machine")] == [1, 2]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("partitoin: main", r"partitoin: unknown key .*did you mean partition\?"),
        ("partition: -main --wrap=x", "partition: got '-main --wrap=x'"),
        ("array_limit: 0", "array_limit: got 0"),
        ("options: --qos=long", "options: got '--qos=long'; expected a list"),
        (
            "options: [--array=1-9]",
            "options.0: got '--array=1-9'; .*--qos=long",
        ),
        ("options: [--outpu=x]", "options.0: got '--outpu=x'"),
        ("options: [-n 3]", "options.0: got '-n 3'"),
        ("core: {cpus: 0, minutes: 1}", "core.cpus: got 0"),
        ("core: {cpus: 1}", "core.minutes: missing"),
        ("[1, 2", "is not valid YAML"),
        ("poll_seconds: .nan", "poll_seconds: got nan"),
    ],
)
def test_slips_are_named_with_what_is_expected(tmp_path, more, told):
    key = more.partition(":")[0]
    lines = [line for line in CLUSTER.splitlines() if not line.startswith(f"{key}:")]
    (tmp_path / "c.yaml").write_text("\n".join([*lines, more]))
    with pytest.raises(ParamsError, match=told):
        read_cluster(tmp_path / "c.yaml")


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"nowhere.yaml has 1 error:\n  there is no such file"):
        read_cluster(tmp_path / "nowhere.yaml")
