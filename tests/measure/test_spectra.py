"""The engine of spectra against a float64 SVD of each matrix."""

import math
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.measure.made_up import agreement, svd
from tests.measure.walks import Walk, entries, measure, walk
from tests.quantities import ALWAYS

from specflow.checkpoints.files import FileCheckpoints, FilesParams
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.trajectory import Checkpoint, Origin, write_trajectory
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA, compared_steps
from specflow.spectra import QUANTITIES, Quantity, agreement_null_level, alignment_null_level
from specflow.wiring import Matrix, View, Wiring, follow

FIRST, SECOND, LAST = (f"layers.{number}.weight" for number in range(3))


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "bfloat16"])
def test_every_number_of_a_matrix_matches_numpy(tmp_path, trained, kind):
    steps, wiring = trained
    dtype = getattr(torch, kind)
    states = [{name: weight.to(dtype) for name, weight in step.items()} for step in steps]
    found = entries(measure(tmp_path, Walk(states), wiring))
    for name in (FIRST, SECOND, LAST):
        one, weights = found[name], [state[name].double().numpy() for state in states]
        for index, weight in enumerate(weights):
            _, S, _ = svd(weight)
            shares, evals = S / S.sum(), S**2
            with_last = agreement(weight, weights[-1])
            expected = {
                "singular_values": S,
                "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
                "mass_rank": (np.searchsorted(np.cumsum(shares), 0.9, side="right") + 1) / len(S),
                "stable_rank": evals.sum() / evals.max(),
                "frobenius_norm": np.linalg.norm(S),
                "spectral_norm": S[0],
                "log_norm": np.log10(evals.sum()),
                "log_spectral_norm": np.log10(evals.max()),
                "agreement": with_last[:5],
                "agreement_score": with_last[:3].mean(),
                "pairwise_agreement": [agreement(weight, w)[:3].mean() for w in weights],
            }
            if index > 0:
                before = agreement(weight, weights[index - 1])
                expected["step_agreement_score"] = before[:3].mean()
            for quantity, value in expected.items():
                assert one[quantity][index] == pytest.approx(value, rel=1e-5, abs=1e-4), quantity
        assert np.isnan(one["step_agreement_score"][0])


def test_scores_of_two_steps_hold_those_with_the_last_and_the_one_before(tmp_path, trained):
    steps, wiring = trained
    for name, one in entries(measure(tmp_path, Walk(steps), wiring)).items():
        if "->" not in name:
            scores = one["pairwise_agreement"]
            assert scores[:, -1] == pytest.approx(one["agreement_score"], abs=1e-6)
            assert scores.diagonal(1) == pytest.approx(one["step_agreement_score"][1:], abs=1e-6)
            assert (scores == scores.T).all()
            assert one["agreement"][-1] == pytest.approx(1.0, abs=1e-6)
            assert scores[0, 3] < 0.99


def test_file_says_what_everything_is(tmp_path, trained):
    steps, wiring = trained
    path = measure(tmp_path, Walk(steps), wiring)
    with open_file(path, SPECTRA) as file:
        assert file["step"][:].tolist() == [0, 10, 20, 30]
        assert file["epoch"][:].tolist() == [0, 0.5, 1, 1.5]
        assert dict(file[f"matrices/{SECOND}"].attrs) == {
            **{"label": "linear 2", "role": "linear", "tensor": SECOND, "depth": 1},
            **{"rows": 10, "columns": 12, "null_agreement": agreement_null_level(10, 12)},
        }
        pair = file["pairs/linear 1 -> linear 2"]
        assert dict(pair.attrs) == {"depth": 0, "null_alignment": alignment_null_level(12)}
        scores = {"agreement_score", "step_agreement_score", "pairwise_agreement"}
        assert set(file[f"matrices/{SECOND}"]) == {
            *("singular_values", "agreement", *ALWAYS, *scores)
        }


def test_epochs_that_are_not_known_are_nan_and_one_step_is_enough(tmp_path, trained):
    steps, wiring = trained
    checkpoints = Walk(steps[:1])
    checkpoints.steps[0] = type(checkpoints.steps[0])(7, None, "memory")
    path = measure(tmp_path, checkpoints, wiring)
    with open_file(path, SPECTRA) as file:
        assert file["step"][:].tolist() == [7]
        assert np.isnan(file["epoch"][:]).all()
    assert entries(path)[FIRST]["pairwise_agreement"] == pytest.approx(np.ones((1, 1)))


def test_entry_of_quantities_appears_in_the_file_with_the_settings_it_asks_for(
    tmp_path, trained, monkeypatch
):
    def tail(S, score_length):
        """Return s_R times the length of scores."""
        return S.amin(-1) * score_length

    entry = Quantity("tail", "tail", (0, math.inf), "none", "https://example.org", tail)
    monkeypatch.setitem(QUANTITIES, "tail", entry)
    steps, wiring = trained
    one = entries(measure(tmp_path, Walk(steps), wiring))[SECOND]
    assert (one["tail"] == 3 * one["singular_values"][:, -1]).all()


@pytest.mark.parametrize(("kernel", "center"), [((3,), (1,)), ((2, 4, 3), (1, 2, 1)), ((1, 1), 0)])
def test_kernels_of_one_to_three_dimensions_are_met_at_their_centre(tmp_path, kernel, center):
    state = {"a": torch.randn(6, 5), "b": torch.randn(4, 6, *kernel)}
    a, b = (Matrix(name, name, View(name, tuple(tensor.shape))) for name, tensor in state.items())
    wiring = Wiring((a, b), (follow(a, b),))
    one = entries(measure(tmp_path, Walk(walk(state, 2)), wiring))["a -> b"]
    U = svd(state["a"].numpy())[0]
    V = svd(state["b"].numpy())[2].reshape(-1, 6, *kernel)
    if center:
        positions = np.einsum("fd...,df->...f", V, U[:, : len(V)])
        assert one["kernel_scores"].shape == (2, *kernel)
        scores = abs(positions)[..., :3].mean(-1)
        assert one["kernel_scores"][0] == pytest.approx(scores, abs=1e-5)
        assert one["alignment"][0] == pytest.approx(abs(positions[center]), abs=1e-5)
    else:
        assert "kernel_scores" not in one


def test_what_is_not_defined_is_nan_and_ends_nothing(tmp_path, trained):
    steps, wiring = trained
    steps = [*steps, dict(steps[3]), dict(steps[3])]
    steps[0][FIRST][0, 0] = torch.nan
    steps[1][FIRST] = torch.zeros(12, 9)
    del steps[2][FIRST]
    steps[3][FIRST] = steps[3][FIRST].mT.contiguous()
    steps[4][FIRST] = torch.ones(12, 9, dtype=torch.int64)
    found = entries(measure(tmp_path, Walk(steps), wiring))
    first, second = found[FIRST], found[SECOND]
    for quantity in ("effective_rank", "agreement_score", "log_norm", "stable_rank"):
        assert np.isnan(first[quantity]).tolist() == [True] * 5 + [False]
        assert np.isfinite(second[quantity]).all()
    assert np.isnan(first["step_agreement_score"]).all()
    assert np.argwhere(np.isfinite(first["pairwise_agreement"])).tolist() == [[5, 5]]
    for norm in ("frobenius_norm", "spectral_norm"):
        assert first[norm][1] == 0
        assert np.isnan(first[norm][[0, 2, 3, 4]]).all()
    assert np.isnan(found["linear 1 -> linear 2"]["alignment_score"]).tolist() == [True] * 5 + [
        False
    ]


def test_singular_vectors_of_singular_values_of_zero_agree_and_align_with_nothing(
    tmp_path, trained
):
    """In a matrix of rank 1 they are any: the same any at all steps, for all that is known."""
    steps, wiring = trained
    for step in steps:
        step[FIRST] = torch.zeros(12, 9)
        step[FIRST][4, 5] = 2.0
    found = entries(measure(tmp_path, Walk(steps), wiring))
    first, pair = found[FIRST], found["linear 1 -> linear 2"]
    assert first["agreement"] == pytest.approx(np.tile([1.0, 0, 0, 0, 0], (4, 1)))
    for score in ("agreement_score", "pairwise_agreement"):
        assert first[score] == pytest.approx(np.full(first[score].shape, 1 / 3))
    assert first["step_agreement_score"][1:] == pytest.approx(np.full(3, 1 / 3))
    assert (pair["alignment"][:, 0] > 0).all()
    assert (pair["alignment"][:, 1:] == 0).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weights: weights[SECOND].view(-1)[:2].fill_(torch.inf), "2 of 120 entries are not"),
        (lambda weights: weights.pop(SECOND), r"expected a tensor of shape \(10, 12\)"),
    ],
)
def test_of_a_strict_one_what_is_not_defined_is_named_with_its_step(
    tmp_path, trained, spoil, message
):
    steps, wiring = trained
    spoil(steps[2])
    with pytest.raises(SpecflowError, match=rf"^memory: step 20: {SECOND}: {message}"):
        measure(tmp_path, Walk(steps), wiring, strict=True)
    assert not (tmp_path / "spectra.h5").exists()


def test_all_zero_matrix_of_a_strict_one_is_undefined(tmp_path, trained):
    steps, wiring = trained
    steps[1][FIRST] = torch.zeros(12, 9)
    found = entries(measure(tmp_path, Walk(steps), wiring, strict=True))[FIRST]
    assert np.isnan(found["effective_rank"]).tolist() == [False, True, False, False]


def test_trajectory_and_files_give_the_same_arrays(tmp_path, trained):
    steps, wiring = trained
    origin = Origin("{}", 0, 0, 0, 0.0, "", "cpu", "")
    rows = [
        Checkpoint(number, {n: w.numpy() for n, w in step.items()}, {}, {"train/loss": 0.0}, None)
        for number, step in enumerate(steps)
    ]
    write_trajectory(tmp_path / "run.h5", origin, [0, 1, 2, 3], 1, rows)
    for number, step in enumerate(steps):
        save_file(step, tmp_path / f"step{number}.safetensors")
    files = FilesParams.model_validate({"files": ["step*.safetensors"]})
    of_run = TrajectoryCheckpoints(tmp_path / "run.h5"), True
    of_files = FileCheckpoints(files, tmp_path), False
    found = [
        entries(measure(tmp_path, checkpoints, wiring, strict=strict))
        for checkpoints, strict in (of_run, of_files)
    ]
    for name in found[0]:
        for key, value in found[0][name].items():
            np.testing.assert_array_equal(value, found[1][name][key])


@pytest.mark.parametrize("name", ["a/b/c.weight", "f.npy", "0"])
def test_names_are_paths(tmp_path, name):
    state = {name: torch.eye(4)}
    wiring = Wiring((Matrix(name, name, View(name, (4, 4))),), ())
    assert entries(measure(tmp_path, Walk([state]), wiring))[name]["spectral_norm"] == [1]


def test_of_very_many_steps_any_two_of_some_are_compared(tmp_path, trained, monkeypatch):
    steps, wiring = trained
    whole = entries(measure(tmp_path, Walk(steps), wiring))
    monkeypatch.setattr("specflow.measure.layouts._COMPARED", 3)
    assert compared_steps(4).tolist() == [0, 2, 3]
    for name, one in entries(measure(tmp_path, Walk(steps), wiring)).items():
        if "pairwise_agreement" in one:
            some = whole[name]["pairwise_agreement"][np.ix_([0, 2, 3], [0, 2, 3])]
            np.testing.assert_array_equal(one["pairwise_agreement"], some)


def test_report_counts_the_steps_and_each_is_opened_once(tmp_path, trained):
    steps, wiring = trained
    checkpoints, reported = Walk(steps), []
    measure(tmp_path, checkpoints, wiring, report=reported.append)
    assert reported == [1] * 4
    assert checkpoints.opened == [0, 3, 1, 2]


@pytest.mark.parametrize("large", [True, False])
def test_each_matrix_is_decomposed_once_a_step_and_one_batch_is_in_memory(
    tmp_path, trained, request, monkeypatch, large
):
    if large:
        request.getfixturevalue("batched")
    steps, wiring = trained
    take, alive, seen = View.of, weakref.WeakSet(), []

    def counting(view, tensor):
        seen.append(len(alive))
        matrix = take(view, tensor)
        alive.add(matrix)
        return matrix

    monkeypatch.setattr(View, "of", counting)
    measure(tmp_path, Walk(steps), wiring)
    assert seen == ([0, 0, 0] if large else [0, 1, 2]) * 4


@pytest.mark.cuda
def test_cuda_gives_the_same_to_its_accuracy(tmp_path, trained):
    steps, wiring = trained
    expected = entries(measure(tmp_path, Walk(steps), wiring))
    found = entries(measure(tmp_path, Walk(steps), wiring, device=torch.device("cuda")))
    for name, one in expected.items():
        for key in set(one) - {"label", "role", "tensor"}:
            np.testing.assert_allclose(found[name][key], one[key], atol=1e-6)
