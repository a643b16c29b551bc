"""What is known of a stage, from a history of made-up seconds."""

import json

import pytest
from tests.clones import ROOT, TINY

from specflow.config.params import load_params
from specflow.config.resolved import all_settings
from specflow.errors import SpecflowError
from specflow.plan.amounts import ON_DEVICE, amounts_of
from specflow.plan.speeds import Speeds
from specflow.plan.wall_time import Slots, wall_time_table
from specflow.schedule import WAITING, History


@pytest.fixture(scope="module")
def params():
    return load_params(TINY)


def stages(params):
    names = ((f"{s}@{n}" if n != "all" else s, one) for s, n, one in all_settings(params))
    return {"resolve": None, **dict(names)}


@pytest.fixture
def history(params):
    """That of a whole run on the CPU: 2 seconds to start, and one for each unit."""
    history = History()
    for name, one in stages(params).items():
        history.seconds[name] = 2.0 + (name != "resolve") * sum(amounts_of(one)[1])
        history.settings[name] = json.loads(one.model_dump_json()) if one else {}
        history.devices[name] = "cpu"
    return history


def changed(params, experiment, **keys):
    own = {experiment: params.experiments[experiment].model_copy(update=keys)}
    return params.model_copy(update={"experiments": params.experiments | own})


def test_what_ran_with_these_settings_is_measured(params, history):
    speeds = Speeds(params, history, "cpu")
    assert speeds.start == 2
    for name, one in stages(params).items():
        speed = speeds.of(name)
        assert speed.source == "measured"
        load = speed.load(speeds.start)
        amounts = amounts_of(one)[1] if name != "resolve" else (0.0,)
        assert load.start == 2
        assert load.members == pytest.approx(amounts)


def test_members_are_those_of_the_stages(params):
    for name, one in params.connections.items():
        branches = amounts_of(stages(params)[f"branch@{name}"])[1]
        points = len(one.trunk_seeds) * len(one.split_steps)
        scales = len(one.perturbation.scales) * len(one.trunk_seeds) if one.perturbation else 0
        assert len(branches) == (points + scales) * one.num_branches
        assert max(branches) > 0
    for name, one in params.experiments.items():
        for stage in ("train", "spectra", "prune"):
            assert len(amounts_of(stages(params)[f"{stage}@{name}"])[1]) == len(one.seeds)


def test_more_seeds_take_more_of_the_same_steps(params, history):
    name = next(iter(params.experiments))
    more = changed(params, name, seeds=(*params.experiments[name].seeds, 7, 8))
    speeds = Speeds(more, history, "cpu")
    for stage in ("train", "spectra", "prune"):
        speed = speeds.of(f"{stage}@{name}")
        assert speed.source.startswith("as fast a step as")
        assert speed.seconds == pytest.approx(sum(speed.amounts))
        assert len(speed.amounts) == len(params.experiments[name].seeds) + 2


def test_training_of_another_size_scales_with_flops(params, history):
    name = next(n for n, one in params.experiments.items() if one.model.kind == "transformer")
    experiment = params.experiments[name]
    for other in [n for n in history.seconds if n.partition("@")[0] in ("train", "branch")]:
        if other != f"train@{name}":  # of one network alone, so that the ratio is known
            del history.seconds[other]
    for other in [n for n in history.seconds if n.startswith("retrain")]:
        del history.seconds[other]
    wider = experiment.model.model_copy(update={"d_mlp": 2 * experiment.model.d_mlp})
    narrow = Speeds(params, history, "cpu").of(f"train@{name}")
    speed = Speeds(changed(params, name, model=wider), history, "cpu").of(f"train@{name}")
    assert speed.source == f"estimate: as fast a FLOP as train@{name}"
    assert 1 < speed.seconds / narrow.seconds < 2


def test_what_ran_on_another_device_is_unknown(params, history):
    speeds = Speeds(params, history, "cuda")
    for name, one in stages(params).items():
        expected = "unknown" if isinstance(one, ON_DEVICE) else "measured"
        assert speeds.of(name).source == expected, name


def test_without_a_history_nothing_is_made_up(params, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = wall_time_table(params, History(), Slots(4, None, "cpu"))
    count = len(stages(params))
    assert f"wall time on 4 slots: at least 0 s; {count} stages of {count} are unknown" in text


def test_history_without_settings_measures_nothing(params, history):
    history.settings.clear()
    assert Speeds(params, history, "cpu").of("collect").source == "unknown"


def test_table_tells_wall_time_and_what_decides_it(params, history, monkeypatch):
    monkeypatch.chdir(ROOT)
    lines = wall_time_table(params, history, Slots(10**6, None, "cpu")).splitlines()
    critical = {line.split()[0] for line in lines if " yes " in line}
    path = next(line for line in lines if line.startswith("critical path: "))
    assert critical == set(path.split(": ")[2].split(", ")) >= {"resolve", "report"}
    assert any(line.endswith("1.000 times the critical path") for line in lines)
    rate = next(line for line in lines if line.startswith("train@")).split()
    assert rate[2:4] == ["1", "steps"]


def test_cluster_has_slots_and_devices_that_the_command_line_may_name_otherwise(tmp_path):
    file = tmp_path / "cluster.yaml"
    core = "core: {cpus: 1, minutes: 1, gpus: 1}\nmachine: {cpus: 1, minutes: 1}\n"
    file.write_text(f"{core}slots: 64\n")
    assert Slots.of(file, None, None, None) == Slots(64, WAITING, "cuda")
    assert Slots.of(file, 8, 3, "cpu") == Slots(8, 3, "cpu")
    assert Slots.of(None, 8, None, None) == Slots(8, None, "cpu")
    file.write_text(core)
    with pytest.raises(SpecflowError, match=r"cluster.yaml: slots: missing; expected how many"):
        Slots.of(file, None, None, None)
