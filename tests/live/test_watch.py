"""A watched training computes the same bits, and its file holds what its checkpoints would."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.live.trainings import is_measured, network, tell, train
from tests.measure.walks import Walk, entries, measure
from torch import nn

import specflow
from specflow.errors import SpecflowError
from specflow.live.network import Network
from specflow.live.settings import SPECTRA, WatchParams

EVERY = 8
DUE = [*range(0, 40, EVERY)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A training that is slow enough for each step that is due to be measured."""
    path, model, told = tmp_path_factory.mktemp("watched") / "run.h5", network(), []
    with specflow.watch(
        model, path, every=EVERY, budget=1, sinks=[lambda *given: told.append(given)]
    ) as watch:

        def step(number, **scalars):
            while number in DUE and not watch._beside.free:
                time.sleep(0.01)
                watch._collect()
            watch.step(number, **scalars)

        states = train(model, step)
    return path, states, told


def test_every_step_that_is_due_is_there(watched):
    path, _, told = watched
    assert is_measured(path, DUE)
    assert [step for step, _ in told] == DUE


def test_weights_are_the_same_bits_as_without(watched):
    _, states, _ = watched
    alone = train(network(), lambda step, loss: None)
    for step, state in alone.items():
        for name, tensor in state.items():
            assert torch.equal(states[step][name], tensor)


def test_singular_values_are_those_of_the_weights_at_those_steps(watched):
    path, states, _ = watched
    for name, entry in entries(path).items():
        if "tensor" not in entry:
            continue
        for place, step in enumerate(DUE):
            exact = torch.linalg.svdvals(states[step][entry["tensor"]].double()).numpy()
            assert abs(entry["singular_values"][place] - exact).max() <= 1e-6 * exact[0], name


def test_file_is_that_of_its_checkpoints(watched, tmp_path):
    """Arrays are compared: agreement comes of singular vectors in float32 here."""
    path, states, _ = watched
    params = WatchParams()
    wiring = Network(network(), params).wiring
    walk = Walk([states[step] for step in DUE])
    whole = entries(measure(tmp_path, walk, wiring, settings=SPECTRA))
    found = entries(path)
    assert found.keys() == whole.keys()
    for name, entry in whole.items():
        assert found[name].keys() == entry.keys()
        for key, values in entry.items():
            if isinstance(values, np.ndarray):
                np.testing.assert_allclose(found[name][key], values, atol=1e-6, err_msg=key)
            else:
                assert found[name][key] == values


def test_sinks_are_told_numbers_by_the_names_of_the_library(watched):
    path, states, told = watched
    for place, (step, numbers) in enumerate(told):
        entry = entries(path)["0"]
        for name in ("stable_rank", "effective_rank", "frobenius_norm", "num_outliers"):
            assert numbers[f"{name}/0"] == entry[name][place]
        assert 0 < numbers["loss"] < 2
        norm = states[step]["2.weight"].double().norm().item()
        assert numbers["frobenius_norm/2"] == pytest.approx(norm, rel=1e-9)
        assert 0 < numbers["alignment_score/0 -> 2"] < 1
    assert np.isnan(told[0][1]["step_agreement_score/0"])
    assert told[0][1]["start_agreement_score/0"] == pytest.approx(1, abs=1e-6)
    assert told[-1][1]["start_agreement_score/0"] < told[1][1]["start_agreement_score/0"] < 1


def test_training_that_begins_again_replaces_what_it_repeats(watched, tmp_path):
    path, states, _ = watched
    model, again = network(), tmp_path / "again.h5"
    with specflow.watch(model, again, every=EVERY, budget=1) as watch:
        watch.step(0)
        while len(watch._beside.free) < watch._beside.buffers.count:
            time.sleep(0.01)
            watch._collect()
        watch.step(24)
    assert is_measured(again, [0, 24])
    model.load_state_dict(states[16])
    with specflow.watch(model, again, every=EVERY, budget=1) as watch:
        watch.step(16)
    assert is_measured(again, [0, 16])
    assert not list(again.with_name("again.h5.rows").glob("*24"))
    norm = states[16]["0.weight"].double().norm().item()
    assert entries(again)["0"]["frobenius_norm"][1] == pytest.approx(norm, rel=1e-9)
    other = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(SpecflowError, match=r"again\.h5: is there, of other matrices"):
        specflow.watch(other, again)
    with pytest.raises(SpecflowError, match=r"copy\.h5: is there, and .*copy\.h5\.rows"):
        specflow.watch(model, Path(path).rename(tmp_path / "copy.h5"))


def test_gradients_updates_and_weights_are_kept_too(tmp_path):
    model, path, told = network(), tmp_path / "run.h5", []
    states, gradients = {}, {}
    with specflow.watch(
        model,
        path,
        every=4,
        budget=1,
        gradients=True,
        updates=True,
        store_weights=True,
        sinks=[lambda *given: told.append(given)],
    ) as watch:

        def step(number, **scalars):
            states[number] = {n: one.detach().clone() for n, one in model.state_dict().items()}
            gradients[number] = {n: one.grad.clone() for n, one in model.named_parameters()}
            time.sleep(0.3)
            watch.step(number, **scalars)

        train(model, step, last=9)
    assert is_measured(path, [0, 4, 8])
    assert is_measured(tmp_path / "run.updates.h5", [4, 8])  # it is not known what the first did
    assert not list(tmp_path.glob("*.lock"))
    of_gradients, of_updates = (entries(tmp_path / f"run.{n}.h5") for n in ("gradients", "updates"))
    for place, number in enumerate([0, 4, 8]):
        stored = load_file(tmp_path / "run.h5.weights" / f"step{number:09d}.safetensors")
        assert list(stored) == ["0.weight", "2.weight", "4.weight"]
        for name, tensor in stored.items():
            assert torch.equal(tensor, states[number][name])
            exact = torch.linalg.svdvals(gradients[number][name].double()).numpy()
            found = of_gradients[name.removesuffix(".weight")]["singular_values"][place]
            assert abs(found - exact).max() <= 1e-6 * exact[0]
            if not number:
                continue
            found = of_updates[name.removesuffix(".weight")]["singular_values"][place - 1]
            change = states[number][name].double() - states[number - 1][name].double()
            exact = torch.linalg.svdvals(change).numpy()
            assert abs(found - exact).max() <= 1e-5 * exact[0]
    names = {name.partition("/")[0] for name in told[1][1]}
    assert {"gradient_spectral_norm", "update_stable_rank", "spectral_norm", "loss"} <= names
    table = specflow.analyze(str(tmp_path / "run.h5.weights" / "*"))
    assert sorted({*table["step"]}) == [0, 4, 8]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"every": 0}, "every: got 0; expected"),
        ({"every": [5, -1]}, r"every: got \[5, -1\]; expected a whole number"),
        ({"every": []}, r"every: got \[\]; expected"),
        ({"every": 2.5}, "every: got 2.5; expected"),
        ({"every": "often"}, "every: got 'often'; expected"),
        ({"budget": 0.0}, "budget: got 0"),
        ({"budget": 2}, "budget: got 2"),
        ({"match": []}, "match"),
        ({"match": "*attn*"}, "match: got '\\*attn\\*'; expected a list"),
        ({"match": ["nothing"]}, "Sequential: match: 'nothing' matches none of the 3 matrices"),
        ({"exclude": ["*"]}, "Sequential: "),
    ],
)
def test_what_cannot_be_watched_is_said_at_once(tmp_path, given, message):
    with pytest.raises(SpecflowError, match=message):
        specflow.watch(network(), tmp_path / "run.h5", **given)
    assert list(tmp_path.iterdir()) == []


def test_copies_keep_within_the_budget_and_what_is_dropped_is_said(tmp_path, monkeypatch):
    copy = Network.copy_to

    def slowly(self, *given):
        time.sleep(0.2)
        return copy(self, *given)

    monkeypatch.setattr(Network, "copy_to", slowly)
    monkeypatch.setattr("specflow.live.schedule._SHORT", 0.0)
    path = tmp_path / "run.h5"
    watch = specflow.watch(network(), path, every=1, budget=0.1)
    began = time.perf_counter()
    with pytest.warns(UserWarning, match="measured: copying would take"):
        tell(watch, range(250), pause=0.02)
    took, spent = time.perf_counter() - began, watch.spent
    with pytest.warns(UserWarning, match=r"run\.h5: not measured: \d+ steps of those"):
        watch.close()
    with h5py.File(path) as file:
        steps = file["step"][:]
    assert steps[0] == 0
    assert 1 < len(steps) <= 1 + 0.1 * took / 0.2
    assert spent < 0.1 + 0.2 / took


def test_steps_that_begin_anew_each_epoch_are_said(tmp_path):
    with specflow.watch(network(), tmp_path / "run.h5", every=2, budget=1) as watch:
        watch.step(0)
        watch.step(1)
        with pytest.warns(UserWarning, match="step: got 0 after 1; expected numbers that ascend"):
            watch.step(0)
        watch.step(1)
    assert is_measured(tmp_path / "run.h5", [0])
