"""Loggers are told by their own methods, and alerts come at their thresholds."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.live.trainings import network

import specflow
from specflow.errors import SpecflowError
from specflow.live.alerts import Alert, AlertParams
from specflow.live.listeners import Listeners
from specflow.live.messages import Measured
from specflow.live.sinks import sink_of

SCALARS = {"stable_rank/a": 2.0, "loss": 0.5}
SPECTRA = {"a": np.array([3.0, 1.0]), "b": np.array([math.nan])}


def test_function_is_told_step_and_numbers():
    told = []
    sink_of(lambda *given: told.append(given))(7, SCALARS, SPECTRA)
    assert told == [(7, SCALARS)]


def test_tensorboard_gets_scalars_and_histograms_of_what_is_defined():
    told = []
    writer = SimpleNamespace(
        add_scalar=lambda *given: told.append(given),
        add_histogram=lambda name, values, step: told.append((name, values.tolist(), step)),
    )
    sink_of(writer)(7, SCALARS, SPECTRA)
    assert told == [
        ("stable_rank/a", 2.0, 7),
        ("loss", 0.5, 7),
        ("singular_values/a", [3.0, 1.0], 7),
    ]


def test_dvclive_gets_numbers_of_that_step_and_goes_on_with_its_own():
    told, live = [], SimpleNamespace(step=9)
    live.log_metric = lambda name, value: told.append((live.step, name, value))
    sink_of(live)(7, SCALARS, SPECTRA)
    assert told == [(7, "stable_rank/a", 2.0), (7, "loss", 0.5)]
    assert live.step == 9


def test_weights_and_biases_gets_an_axis_of_its_own(monkeypatch):
    wandb = SimpleNamespace(Histogram=lambda np_histogram: np_histogram)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    defined, logged = [], []
    run = SimpleNamespace(
        define_metric=lambda *names, **axis: defined.append((names, axis)), log=logged.append
    )
    sink_of(run)(7, SCALARS, SPECTRA)
    assert defined == [
        (("specflow/step",), {}),
        (("specflow/*",), {"step_metric": "specflow/step"}),
    ]
    counts, _ = logged[0].pop("specflow/singular_values/a")
    assert counts.sum() == 2
    assert logged == [{"specflow/step": 7, "specflow/stable_rank/a": 2.0, "specflow/loss": 0.5}]


def test_what_is_no_logger_is_refused():
    with pytest.raises(SpecflowError, match="sinks: got int; expected a SummaryWriter"):
        sink_of(3)


FIRST = {"normalized_effective_rank/a": 0.9, "spectral_norm/a": 2.0, "spectral_norm/zero": 0.0}


def alerts(scalars, **params):
    return list(AlertParams(**params).of(5, scalars, FIRST))


def test_rank_and_growth_alert_beyond_their_thresholds_alone():
    low = {"normalized_effective_rank/a": 0.1, "effective_rank/a": 0.01}
    assert alerts(low) == alerts(low, least_rank=0.1) == []
    said = "normalized_effective_rank is 0.1, below 0.11"
    assert alerts(low, least_rank=0.11) == [Alert(5, "a", said)]
    grown = {"spectral_norm/a": 6.0, "spectral_norm/zero": 6.0, "spectral_norm/new": 6.0}
    assert alerts(grown) == alerts(grown, most_growth=3.0) == []
    said = "spectral_norm is 6, 3 times that of the first step, above 2.9"
    assert alerts(grown, most_growth=2.9) == [Alert(5, "a", said)]


def test_what_is_not_finite_alerts_once_a_matrix():
    broken = {"spectral_norm/a": math.nan, "stable_rank/a": math.nan, "loss": math.inf}
    found = [Alert(5, "a", "spectral_norm is nan"), Alert(5, "", "loss is inf")]
    assert alerts(broken) == found
    undefined = {"noise_scale/a": math.nan, "step_agreement_score/a": math.nan}
    assert alerts(undefined) == alerts(broken, not_finite=False) == []


def test_leading_values_alert_where_whole_spectra_are_not_measured():
    grown = {"leading_spectral_norm/a": 6.0}
    said = "spectral_norm is 6, 3 times that of the first step, above 2.9"
    assert alerts(grown, most_growth=2.9) == [Alert(5, "a", said)]
    both = grown | {"spectral_norm/a": 6.0}
    assert alerts(both, most_growth=2.9) == [Alert(5, "a", said)]
    assert alerts({"leading_spectral_norm/a": math.nan, "leading_stable_rank/a": math.nan}) == [
        Alert(5, "a", "spectral_norm is nan")
    ]
    given = {"leading_loss": math.nan, "loss": 0.3}
    assert alerts(given) == [Alert(5, "", "leading_loss is nan")]


def test_growth_is_counted_from_the_first_step_of_the_file(tmp_path):
    model, told = network(), []
    with specflow.watch(model, tmp_path / "run.h5", budget=1) as watch:
        watch.step(0)
    with torch.no_grad():
        model[0].weight.mul_(3)
    arguments = {"alerts": {"most_growth": 2.5}, "on_alert": told.append}
    with (
        pytest.warns(UserWarning, match="step 10: 0: spectral_norm is .*, 3 times that of the"),
        specflow.watch(model, tmp_path / "run.h5", **arguments) as watch,
    ):
        watch.step(10)
    assert [(alert.step, alert.matrix) for alert in told] == [(10, "0")]


def test_alert_is_told_when_it_comes_and_again_when_it_comes_back():
    warned, told = [], []
    listeners = Listeners([], AlertParams(most_growth=2.0), told.append, warned.append)
    for step, norm in enumerate((1.0, 3.0, 4.0, 1.5, 3.0)):
        scalars = {"spectral_norm/a": norm, "spectral_norm/b": 1.0}
        listeners.tell(Measured(0, step, scalars, {}, 0.0))
    assert [alert.step for alert in told] == [1, 4]
    assert [one.partition(":")[0] for one in warned] == ["step 1", "step 4"]


def test_function_of_alerts_that_fails_is_called_no_more(tmp_path):
    model = network()
    with torch.no_grad():
        model[0].weight[0, 0] = model[2].weight[0, 0] = math.nan
    calls = []

    def fails(alert):
        calls.append(alert)
        raise RuntimeError("no network")

    watch = specflow.watch(model, tmp_path / "run.h5", alerts={}, on_alert=fails)
    watch.step(0)
    with pytest.warns(UserWarning, match="specflow.watch: ") as said:
        watch.close()
    assert [str(one.message).partition("run.h5: ")[2] for one in said] == [
        "step 0: 0: spectral_norm is nan",
        "on_alert: RuntimeError: no network; it is called no more",
        "step 0: 2: spectral_norm is nan",
    ]
    assert len(calls) == 1
    assert (tmp_path / "run.h5").exists()


def test_matrix_that_is_not_finite_warns_with_layer_and_step(tmp_path):
    model, told = network(), []
    with torch.no_grad():
        model[2].weight[0, 0] = math.nan
    watch = specflow.watch(model, tmp_path / "run.h5", alerts={}, on_alert=told.append)
    watch.step(300)
    with pytest.warns(UserWarning, match="step 300: 2: spectral_norm is nan"):
        watch.close()
    assert told == [Alert(300, "2", "spectral_norm is nan")]
    with pytest.raises(SpecflowError, match=r"alerts\.least_rank: got 2.0; expected less than 1"):
        specflow.watch(model, tmp_path / "other.h5", alerts={"least_rank": 2.0})
