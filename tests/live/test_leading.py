"""Leading values at more steps are those of the whole spectra at the same ones."""

import signal

import h5py
import numpy as np
import pytest
import torch
from tests.live.trainings import is_measured, tell, train
from tests.live.trainings import network as small
from tests.measure.walks import NETWORKS, One, Walk, entries, layers, measure, network, walk

import specflow
from specflow.checkpoints.network import structure_of_live
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.live.kinds import Kind
from specflow.live.leading import COUNT, LeadingRows
from specflow.live.rows import rows_of
from specflow.live.schedule import Budget, Schedule
from specflow.live.settings import SPECTRA, WatchParams
from specflow.measure.layouts import LEADING
from specflow.scratch import Scratch
from specflow.studies.tables import entries_of
from specflow.wiring.recognize import LayoutParams, wiring_of

SAME = ("alignment", "alignment_score", "kernel_scores", "step_agreement_score")
NORMS = ("spectral_norm", "frobenius_norm", "stable_rank")


def measured(rows, states, numbers):
    with rows.locked():
        told = [rows.measure(One(states, number), {"loss": number / 2}) for number in numbers]
        rows.publish()
    return told


def leading_in(path):
    with open_file(path, LEADING) as file:
        found = {
            name: {key: group[key][:] for key in group}
            for kind in ("matrices", "pairs")
            for name, group in entries_of(file, kind).items()
        }
        return file["step"][:].tolist(), found


@pytest.mark.parametrize("kind", NETWORKS)
def test_rows_are_those_of_the_whole_spectra(kind, tmp_path):
    model = network(kind)
    infos = specflow.checkpoints.live.LiveCheckpoints(model).infos
    wiring = wiring_of(infos, LayoutParams(), structure_of_live(model), {})
    state = {name: one for name, one in model.state_dict().items() if one.is_floating_point()}
    states = walk(state, 3, speed=0.02)
    told = measured(LeadingRows(tmp_path / "run.leading.h5", wiring), states, range(3))
    steps, found = leading_in(tmp_path / "run.leading.h5")
    whole = entries(measure(tmp_path, Walk(states), wiring, settings=SPECTRA))
    assert steps == [0, 10, 20]
    assert found.keys() == whole.keys()
    for name, own in found.items():
        for key in SAME:
            if key in own:
                np.testing.assert_allclose(own[key], whole[name][key], atol=1e-5, err_msg=name)
        if "singular_values" not in own:
            assert told[1][f"alignment_score/{name}"] == own["alignment_score"][1]
            continue
        exact = whole[name]["singular_values"][:, :COUNT]
        assert abs(own["singular_values"] - exact).max() <= 1e-6 * exact.max()
        for key in NORMS:
            np.testing.assert_allclose(own[key], whole[name][key], rtol=1e-6, err_msg=name)
            assert told[2][f"{key}/{name}"] == own[key][2]
        first = whole[name]["pairwise_agreement"][0]
        np.testing.assert_allclose(own["start_agreement_score"], first, atol=1e-5)


def test_large_matrix_that_changes_little_is_followed(tmp_path, monkeypatch):
    state, wiring = layers(300, 280)
    name = wiring.matrices[0].view.tensor
    U, V = torch.linalg.qr(torch.randn(280, 20)).Q, torch.linalg.qr(torch.randn(300, 20)).Q
    state = {name: 0.01 * state[name] + (U * torch.linspace(9, 3, 20)) @ V.mT}
    states = [state]
    for _ in range(5):
        states.append({name: states[-1][name] + 1e-3 * torch.randn(280, 300)})
    ways, find = [], specflow.live.leading.leading_vectors

    def noted(*given, **options):
        found = find(*given, **options)
        ways.append(found.is_whole)
        return found

    monkeypatch.setattr("specflow.live.leading.leading_vectors", noted)
    measured(LeadingRows(tmp_path / "run.h5", wiring), states, range(6))
    assert ways[2:] == [False] * 4
    _, found = leading_in(tmp_path / "run.h5")
    for place, state in enumerate(states):
        exact = torch.linalg.svdvals(state[name].double())[:COUNT].numpy()
        own = found[wiring.matrices[0].name]
        assert abs(own["singular_values"][place] - exact).max() <= 1e-6 * exact[0]
        assert own["vector_error"][place].max() <= 1e-4


def test_noise_is_decomposed_whole_without_trying_each_time(tmp_path, monkeypatch):
    state, wiring = layers(300, 300)
    asked, find = [], specflow.live.leading.leading_vectors

    def noted(*given, whole):
        asked.append(whole)
        return find(*given, whole=whole)

    monkeypatch.setattr("specflow.live.leading.leading_vectors", noted)
    measured(LeadingRows(tmp_path / "run.h5", wiring), walk(state, 9, speed=1.0), range(9))
    assert asked == [False, True, False, True, True, False, True, True, True]


def test_matrix_that_is_not_there_or_not_finite_is_undefined_at_that_step(tmp_path):
    state, wiring = layers(9, 12, 10)
    states = walk(state, 4)
    first, second = (view.tensor for view in wiring.views)
    del states[1][first]
    states[2][second][0, 0] = torch.inf
    measured(LeadingRows(tmp_path / "run.h5", wiring), states, range(4))
    _, found = leading_in(tmp_path / "run.h5")
    one, other = (found[matrix.name] for matrix in wiring.matrices)
    for own, gone in ((one, 1), (other, 2)):
        for key in (*NORMS, "singular_values", "vector_error", "start_agreement_score"):
            there = np.isfinite(own[key].reshape(4, -1)).all(1)
            assert there.tolist() == [place != gone for place in range(4)], key
        there = np.isfinite(own["step_agreement_score"])
        assert there.tolist() == [place not in (0, gone, gone + 1) for place in range(4)]


def test_matrix_of_zeros_has_norms_and_no_direction(tmp_path):
    state, wiring = layers(9, 12, 10)
    states = walk(state, 3)
    zero = wiring.matrices[0].view.tensor
    for one in states[:2]:
        one[zero].zero_()
    measured(LeadingRows(tmp_path / "run.h5", wiring), states, range(3))
    _, found = leading_in(tmp_path / "run.h5")
    own = found[wiring.matrices[0].name]
    assert own["spectral_norm"][:2].tolist() == own["frobenius_norm"][:2].tolist() == [0, 0]
    for key in ("stable_rank", "start_agreement_score", "step_agreement_score"):
        there = np.isfinite(own[key])
        assert there.tolist() == [False, False, key == "stable_rank"], key
    assert np.isnan(found[wiring.pairs[0].label]["alignment_score"][:2]).all()


def test_decomposition_that_fails_is_named_with_its_step(tmp_path, monkeypatch):
    state, wiring = layers(9, 12, 10)

    def fails(*given, **options):
        raise torch.linalg.LinAlgError("did not converge")

    monkeypatch.setattr("specflow.live.leading.leading_vectors", fails)
    with pytest.raises(SpecflowError, match=r"step 10: .*layers\.1\.weight: did not converge"):
        measured(LeadingRows(tmp_path / "run.h5", wiring), walk(state, 2), [1])


def test_file_of_steps_that_are_all_replaced_goes(tmp_path):
    state, wiring = layers(9, 12, 10)
    rows = LeadingRows(tmp_path / "run.h5", wiring)
    measured(rows, walk(state, 3), range(3))
    with rows.locked():
        rows.drop_from(10)
        assert (tmp_path / "run.h5").exists()
        rows.drop_from(0)
    assert not (tmp_path / "run.h5").exists()
    (tmp_path / "run.h5").touch()  # of which no row was repeated
    with rows.locked():
        rows.drop_from(0)
    assert (tmp_path / "run.h5").exists()


def test_rows_go_on_after_the_end_or_a_kill_and_replace_what_is_repeated(tmp_path, monkeypatch):
    state, wiring = layers(9, 12, 10)
    states, path = walk(state, 6), tmp_path / "run.h5"
    measured(LeadingRows(tmp_path / "all.h5", wiring), states, range(6))
    measured(LeadingRows(path, wiring), states, range(3))
    killed, save = LeadingRows(path, wiring), Scratch.save

    def once(self, name, content):
        if not name.startswith("vectors"):
            raise KeyboardInterrupt
        save(self, name, content)

    monkeypatch.setattr(Scratch, "save", once)
    with pytest.raises(KeyboardInterrupt):
        measured(killed, states, [5])
    monkeypatch.undo()
    rows = LeadingRows(path, wiring)
    assert sorted(rows_of(path).names("vectors*")) == [
        *("vectors000000000000", "vectors000000000020", "vectors000000000050")
    ]
    measured(rows, states, range(3, 6))
    whole, own = leading_in(tmp_path / "all.h5"), leading_in(path)
    assert own[0] == whole[0]
    for name, entry in whole[1].items():
        for key, values in entry.items():
            np.testing.assert_array_equal(own[1][name][key], values)
    with rows.locked():
        rows.drop_from(30)
        assert rows.numbers == [0, 10, 20]
    measured(rows, states, range(3, 6))
    again = leading_in(path)
    for name, entry in whole[1].items():
        for key, values in entry.items():
            if key == "step_agreement_score":  # the vectors of the step before are not kept
                assert np.isnan(again[1][name][key][3])
            else:
                np.testing.assert_array_equal(again[1][name][key], values)


def test_watch_measures_them_at_steps_of_their_own(tmp_path):
    model, told = small(), []
    every, leading = np.unique(np.geomspace(1, 40, 4).astype(int)), 4
    with specflow.watch(
        model,
        tmp_path / "run.h5",
        every=every,
        leading=leading,
        budget=1,
        sinks=[lambda *given: told.append(given)],
    ) as watch:

        def step(number, **scalars):
            while not watch._beside.free:
                watch._collect()
            watch.step(number, **scalars)

        states = train(model, step, first=1)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["step"][:].tolist() == [1, 3, 11]
        assert file["given"].shape == (3, 1)
    steps, found = leading_in(tmp_path / "run.leading.h5")
    assert steps == [1, *range(4, 40, leading)]
    for name, own in ((n, found[n]) for n in ("0", "2", "4")):
        for place, step in enumerate(steps):
            exact = torch.linalg.svdvals(states[step][f"{name}.weight"].double()).numpy()[:COUNT]
            assert abs(own["singular_values"][place] - exact).max() <= 1e-6 * exact[0]
    assert [step for step, _ in told] == sorted({*steps, 3, 11})
    numbers = dict(told)
    assert numbers[8]["leading_spectral_norm/2"] == found["2"]["spectral_norm"][2]
    assert "spectral_norm/2" in numbers[11]
    assert "leading_spectral_norm/2" not in numbers[11]
    assert all("loss" in one for one in numbers.values())
    for none in (0, True):
        with pytest.raises(SpecflowError, match=f"leading: got {none}; expected a whole number"):
            specflow.watch(model, tmp_path / "other.h5", leading=none)


def test_steps_of_both_schedules_are_due_and_none_twice():
    schedule = Schedule(WatchParams(every=[0, 3, 10], leading=4))
    due = {step: schedule.take(step) for step in range(13)}
    whole, leading = Kind.WEIGHTS, Kind.LEADING
    assert {step: kinds for step, kinds in due.items() if kinds} == {
        **{0: [whole, leading], 3: [whole], 4: [leading], 8: [leading]},
        **{10: [whole], 12: [leading]},
    }


def test_place_for_copies_is_left_for_whole_spectra(tmp_path, monkeypatch):
    monkeypatch.setattr("specflow.live.network._TOGETHER", 1)  # as of large weights
    watch = specflow.watch(small(), tmp_path / "run.h5", every=3, leading=1, budget=1)
    assert watch._beside.buffers.count == 2
    watch._beside._process.send_signal(signal.SIGSTOP)
    with pytest.warns(UserWarning, match="not all steps that are due are measured: those before"):
        tell(watch, range(4))
    watch._beside._process.send_signal(signal.SIGCONT)
    with pytest.warns(UserWarning, match="not measured: 2 steps of those that were due"):
        watch.close()
    assert is_measured(tmp_path / "run.h5", [0, 3])
    assert leading_in(tmp_path / "run.leading.h5")[0] == [0, 3]


def test_leading_values_leave_half_of_the_budget_to_whole_spectra(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("specflow.live.schedule.time.perf_counter", lambda: now[0])
    budget = Budget(0.1)
    assert budget.refusal([Kind.LEADING]) is None
    budget.took(1.0)
    budget.waited(6.0)
    now[0] = 100.0
    assert budget.refusal([Kind.WEIGHTS]) is None
    assert budget.refusal([Kind.WEIGHTS, Kind.LEADING]) is None
    half = "copying would take 7% of the time; a budget of 0.1 allows 5%"
    assert budget.refusal([Kind.LEADING]) == half
    now[0] = 141.0
    assert budget.refusal([Kind.LEADING]) is None
    budget.waited(8.0)
    assert budget.refusal([Kind.WEIGHTS])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    budget.busy = 70.5
    share = "measuring would take 50% of the time; a budget of 0.1 allows 40%"
    assert budget.refusal([Kind.WEIGHTS]) == share
