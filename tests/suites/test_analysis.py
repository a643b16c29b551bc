"""The spectra of suites against a float64 SVD of each matrix."""

import itertools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.suites.made_up_suites import job_of, run, save_steps, suite_params, trained

from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.suite_results import SUITE
from specflow.suites.partial import Partial, partial_of
from specflow.suites.run import open_job


class Killed(BaseException):
    """Stands for a kill between two partial results."""


def networks():
    convolutions = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        torch.nn.Conv2d(8, 6, 3),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 4),
    )
    transformer = torch.nn.TransformerEncoderLayer(16, 4, 32)
    lstm = torch.nn.LSTM(5, 7, num_layers=2, bidirectional=True)
    return {"convolutions": convolutions, "transformer": transformer, "lstm": lstm}


def results(job):
    with open_file(job.spectra, SUITE) as file:
        found = {}
        for kind, name in (("matrices", "name"), ("pairs", "label")):
            for group in file.get(kind, {}).values():
                arrays = {key: data[...] for key, data in group.items()}
                found[group.attrs[name]] = arrays | dict(group.attrs)
        return file["step"][:].tolist(), found


def matrix_of(job, index, name):
    suite = open_job(job)
    with suite.open(index) as file:
        return suite.read(file, [suite.wiring.views[name]])[name].double().numpy()


@pytest.mark.parametrize("kind", ["convolutions", "transformer", "lstm"])
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str
)
def test_every_measure_matches_numpy_at_every_step(tmp_path, kind, dtype):
    torch.manual_seed(0)
    for step in (0, 3, 7):
        state = {name: w.to(dtype) for name, w in networks()[kind].state_dict().items()}
        save_file(state, tmp_path / f"step{step}.safetensors")
    job = job_of(tmp_path, suite_params(["step*.safetensors"], num_heads=4))
    run(job)
    steps, found = results(job)
    assert steps == [0, 3, 7]
    names = [matrix.name for matrix in open_job(job).wiring.matrices]
    assert len(names) >= 3
    for name, index in itertools.product(names, range(3)):
        check_measures(job, found[name], name, index)


def check_measures(job, found, name, index):
    weight = matrix_of(job, index, name)
    U, S, Vh = np.linalg.svd(weight, full_matrices=False)
    shares, one = S / S.sum(), {key: values for key, values in found.items()}
    assert one["singular_values"][index] == pytest.approx(S, abs=1e-6 * S[0])
    expected = {
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "normalized_effective_rank": np.exp(-(shares * np.log(shares)).sum()) / len(S),
        "mass_rank": (np.searchsorted(np.cumsum(shares), 0.9, side="right") + 1) / len(S),
        "frobenius_norm": np.linalg.norm(weight),
        "spectral_norm": np.linalg.norm(weight, 2),
    }
    # weightwatcher 0.7.7, apply_norm_metrics: everything is of eigenvalues of W^T W
    evals = S**2
    expected |= {
        "stable_rank": evals.sum() / evals.max(),
        "log_norm": np.log10(evals.sum()),
        "log_spectral_norm": np.log10(evals.max()),
    }
    for measure, value in expected.items():
        assert one[measure][index] == pytest.approx(value, rel=1e-5, abs=1e-6), measure
    for other, measure in ((2, "agreement_score"), (index - 1, "step_agreement_score")):
        if other < 0:
            assert np.isnan(one[measure][index])
            continue
        U2, _, Vh2 = np.linalg.svd(matrix_of(job, other, name), full_matrices=False)
        diagonal = abs((U * U2).sum(0) * (Vh * Vh2).sum(1))
        assert one[measure][index] == pytest.approx(diagonal[:3].mean(), abs=1e-4)
    check_any_two(job, one["agreement_scores"], name, index)
    assert (one["rows"], one["columns"]) == weight.shape


def check_any_two(job, scores, name, index):
    assert scores.shape == (3, 3)
    U, _, Vh = np.linalg.svd(matrix_of(job, index, name), full_matrices=False)
    for other in range(3):
        U2, _, Vh2 = np.linalg.svd(matrix_of(job, other, name), full_matrices=False)
        naive = abs((U * U2).sum(0) * (Vh * Vh2).sum(1))[:3].mean()
        assert scores[index, other] == pytest.approx(naive, abs=1e-4)


def test_scores_of_any_two_steps_hold_those_with_the_last_and_the_one_before(tmp_path):
    save_steps(tmp_path, range(5), trained(5))
    job = job_of(tmp_path)
    run(job)
    for one in results(job)[1].values():
        scores = one["agreement_scores"]
        assert scores[:, -1] == pytest.approx(one["agreement_score"], abs=1e-5)
        assert scores.diagonal(1) == pytest.approx(one["step_agreement_score"][1:], abs=1e-5)
        assert (scores == scores.T).all()
        assert scores[0, 3] < 0.99


def test_alignment_of_convolutions_is_that_at_the_centre_of_the_kernel(tmp_path):
    torch.manual_seed(0)
    save_steps(tmp_path, [0, 1], [networks()["convolutions"].state_dict() for _ in range(2)])
    pair = {"from": "0", "to": "1"}
    job = job_of(tmp_path, suite_params(layout="none", pairs=[pair]))
    run(job)
    _, found = results(job)
    (label,) = (name for name, values in found.items() if "alignment" in values)
    U = np.linalg.svd(matrix_of(job, 1, "0"), full_matrices=False)[0]
    Vh = np.linalg.svd(matrix_of(job, 1, "1"), full_matrices=False)[2]
    diagonal = abs((Vh.reshape(-1, 8, 3, 3)[:, :, 1, 1] @ U).diagonal())
    assert found[label]["alignment"][1] == pytest.approx(diagonal[:6], abs=1e-5)
    assert found[label]["alignment_score"][1] == pytest.approx(diagonal[:3].mean(), abs=1e-5)


def test_what_is_not_defined_is_nan_and_ends_nothing(tmp_path):
    weights = trained(4)
    weights[0]["layers.0.weight"][0, 0] = torch.nan
    weights[1]["layers.0.weight"] = torch.zeros(12, 9)
    del weights[2]["layers.0.weight"]
    save_steps(tmp_path, range(4), weights)
    job = job_of(tmp_path)
    run(job)
    _, found = results(job)
    first, second = found["layers.0"], found["layers.1"]
    assert np.isnan(first["effective_rank"][:3]).all()
    assert np.isnan(first["agreement_score"]).tolist() == [True, True, True, False]
    assert np.isnan(first["step_agreement_score"]).all()
    assert np.argwhere(np.isfinite(first["agreement_scores"])).tolist() == [[3, 3]]
    assert first["frobenius_norm"][1] == 0
    assert np.isfinite(first["effective_rank"][3])
    for measure in ("effective_rank", "agreement_score", "log_norm"):
        assert np.isfinite(second[measure]).all()


@pytest.mark.parametrize("survived", range(1, 18))
def test_killed_analysis_ends_with_the_same_bytes_and_measures_nothing_twice(
    tmp_path, monkeypatch, survived
):
    weights = trained(4)
    save_steps(tmp_path, range(4), weights)
    job = job_of(tmp_path)
    run(job)
    expected = job.spectra.read_bytes(), job.audit.read_bytes()
    job.spectra.unlink()
    save, saved = Partial.save, []

    def save_then_die(self, kind, index, arrays):
        save(self, kind, index, arrays)
        saved.append((kind, index))
        if len(saved) == survived:
            raise Killed

    monkeypatch.setattr(Partial, "save", save_then_die)
    try:
        run(job)
    except Killed:
        run(job)
    assert (job.spectra.read_bytes(), job.audit.read_bytes()) == expected
    assert len(set(saved)) == len(saved) == 12
    assert list(job.scratch.glob("suite-*/*")) == []


def test_workers_change_no_byte(tmp_path):
    save_steps(tmp_path, range(3), trained(3))
    contents = []
    for workers in (1, 2):
        job = job_of(tmp_path)
        run(job, workers)
        contents.append(job.spectra.read_bytes())
    assert contents[0] == contents[1]


def test_changed_file_is_analysed_anew(tmp_path):
    weights = trained(3)
    save_steps(tmp_path, range(3), weights)
    job = job_of(tmp_path)
    run(job)
    before = results(job)[1]["layers.0"]["frobenius_norm"]
    weights[1]["layers.0.weight"] = 2 * weights[1]["layers.0.weight"]
    save_steps(tmp_path, range(3), weights)
    run(job)
    after = results(job)[1]["layers.0"]["frobenius_norm"]
    assert after == pytest.approx(before * [1, 2, 1])


def test_names_that_end_like_arrays_are_kept_apart(tmp_path):
    save_steps(tmp_path, [0], [{"f.npy": torch.eye(4), "f": 2 * torch.eye(4)}])
    job = job_of(tmp_path)
    run(job)
    _, found = results(job)
    assert found["f.npy"]["spectral_norm"] == pytest.approx([1])
    assert found["f"]["spectral_norm"] == pytest.approx([2])


def test_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path):
    save_steps(tmp_path, range(2), trained(2))
    (tmp_path / "scratch").write_text("a file")
    with pytest.raises(SpecflowError, match=r"cannot write .*scratch"):
        run(job_of(tmp_path))


def test_partial_results_depend_on_all_shards_and_on_nothing_else(tmp_path):
    shard = tmp_path / "parts" / "one.safetensors"
    shard.parent.mkdir()
    save_file({"a.weight": torch.ones(2, 3)}, shard)
    index = {"weight_map": {"a.weight": "parts/one.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    job = job_of(tmp_path, suite_params(["model.safetensors.index.json"]))
    before = partial_of(open_job(job), job.scratch)
    (tmp_path / "audit.json").write_text("{}")
    assert partial_of(open_job(job), job.scratch) == before
    save_file({"a.weight": torch.ones(2, 3)}, shard)
    assert partial_of(open_job(job), job.scratch) != before
