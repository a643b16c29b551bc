"""The spectra stage against slow versions written from the definitions."""

import numpy as np
import pytest
import torch
from specflow.params.tasks import SpectraParams
from specflow.training.members import Member, train_members
from specflow.trajectory import Trajectory, open_trajectory

from specflow import paths
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.spectra import SpectraJob, measure_spectra
from specflow.models import wiring_of

PARAMS = SpectraParams(diagonal_length=5, score_length=3, mass=0.9)


def measure(run, params=PARAMS, workers=1):
    trajectory, target = paths.trajectory(run.experiment, 0), paths.spectra(run.experiment, 0)
    if not trajectory.exists():
        train_members([Member("m", run, 0, 0, trajectory, run.kept_steps)], "train")
    wiring = wiring_of(run.model, run.dataset.shape)
    measure_spectra(SpectraJob(trajectory, target, wiring, params), print, workers=workers)
    return trajectory, target


def svd(weight):
    matrix = weight.reshape(len(weight), -1).astype(np.float64)
    return np.linalg.svd(matrix, full_matrices=False)


def test_every_matrix_matches_numpy_at_every_step(addition_run):
    source, target = measure(addition_run)
    with open_trajectory(source) as trajectory, open_file(target, SPECTRA) as file:
        matrices = {n: w for n, w in trajectory.weights(0).items() if w.ndim > 1}
        assert set(file["matrices"]) == set(matrices)
        assert file["step"][:].tolist() == trajectory.steps
        for index in range(len(trajectory.steps)):
            for name in matrices:
                U, S, Vh = svd(trajectory.weights(index)[name])
                Ue, _, Vhe = svd(trajectory.weights(-1)[name])
                found = file["matrices"][name]
                shares = S / S.sum()
                rank = np.exp(-(shares * np.log(shares)).sum())
                assert found["singular_values"][index] == pytest.approx(S, abs=1e-6 * S[0])
                assert found["effective_rank"][index] == pytest.approx(rank, rel=1e-6)
                assert found["frobenius_norm"][index] == pytest.approx(np.linalg.norm(S))
                diagonal = abs((U * Ue).sum(0) * (Vh * Vhe).sum(1))
                assert found["agreement"][index] == pytest.approx(diagonal[:5], abs=1e-4)
                score = found["agreement_score"][index]
                assert score == pytest.approx(diagonal[:3].mean(), abs=1e-4)


def test_transformer_pairs_match_the_definitions(addition_run):
    source, target = measure(addition_run)
    with open_trajectory(source) as trajectory, open_file(target, SPECTRA) as file:
        weights = trajectory.weights(1)
        pairs = file["pairs"]
        in_proj = weights["blocks.0.self_attn.in_proj_weight"]
        _, _, embedding_Vh = svd(weights["embedding.weight"])
        _, _, Vh = svd(in_proj)
        expected = abs((Vh * embedding_Vh).sum(1))[:5]
        found = pairs["embedding -> block 1 attention in"]["alignment"][1]
        assert found == pytest.approx(expected, abs=1e-4)
        heads = in_proj.reshape(3, 2, 4, 8)
        per_head = [abs((svd(heads[0, h])[0] * svd(heads[1, h])[0]).sum(0)) for h in range(2)]
        found = pairs["block 1 query -> block 1 key"]["alignment"][1]
        assert found == pytest.approx(np.mean(per_head, axis=0)[:5], abs=1e-4)
        out_Vh = svd(weights["blocks.0.self_attn.out_proj.weight"])[2]
        expected = abs((out_Vh * svd(in_proj[16:])[0].T).sum(1))[:5]
        found = pairs["block 1 value -> block 1 attention out"]["alignment"][1]
        assert found == pytest.approx(expected, abs=1e-4)


def test_convolution_pairs_are_reported_at_the_centre_of_the_kernel(digits_run):
    source, target = measure(digits_run)
    with open_trajectory(source) as trajectory, open_file(target, SPECTRA) as file:
        weights = trajectory.weights(-1)
        names = [name for name, weight in weights.items() if weight.ndim == 4]
        names.sort(key=lambda name: int(name.split(".")[1]))
        previous, following = names[3], names[4]
        U = svd(weights[previous])[0]
        V = svd(weights[following])[2].reshape(-1, *weights[following].shape[1:])
        found = file["pairs"]["conv 4 -> conv 5"]
        count = min(U.shape[1], len(V), 5)
        positions = np.array(
            [
                [abs(V[i, :, y, x] @ U[:, i]) for i in range(count)]
                for y in range(3)
                for x in range(3)
            ]
        )
        assert found["alignment"][-1] == pytest.approx(positions[4], abs=1e-4)
        scores = positions[:, :3].mean(1).reshape(3, 3)
        assert found["kernel_scores"][-1] == pytest.approx(scores, abs=1e-4)
        assert found["alignment_score"][-1] == pytest.approx(scores[1, 1], abs=1e-4)


def test_agreement_with_the_final_checkpoint_ends_at_one(addition_run):
    _, target = measure(addition_run)
    with open_file(target, SPECTRA) as file:
        for matrix in file["matrices"].values():
            assert matrix["agreement"][-1] == pytest.approx(1.0, abs=1e-6)
            assert matrix["agreement_score"][0] < 0.999


def test_number_of_threads_changes_no_byte(addition_run):
    first = measure(addition_run, workers=1)[1].read_bytes()
    assert measure(addition_run, workers=3)[1].read_bytes() == first


def test_zero_matrix_has_undefined_ranks_and_no_error(addition_run, monkeypatch):
    build = torch.nn.init.uniform_

    def zero_output(tensor, *bounds, **options):
        is_output = bounds == (-0.1, 0.1) and tensor.shape == (8, 8)
        return tensor.data.zero_() if is_output else build(tensor, *bounds, **options)

    monkeypatch.setattr(torch.nn.init, "uniform_", zero_output)
    _, target = measure(addition_run)
    with open_file(target, SPECTRA) as file:
        output = file["matrices"]["output.weight"]
        assert np.isnan(output["effective_rank"][0])
        assert np.isnan(output["agreement"][0]).all()
        assert output["effective_rank"][-1] >= 1
        assert np.isnan(file["pairs"]["block 1 MLP out -> output"]["alignment_score"][0])


def test_matrix_that_is_not_finite_is_named_with_its_step(addition_run, monkeypatch):
    weights = Trajectory.weights

    def with_nan(self, index):
        arrays = weights(self, index)
        if self.steps[index] == 4:
            arrays["blocks.0.linear1.weight"][0, 0] = np.nan
        return arrays

    monkeypatch.setattr(Trajectory, "weights", with_nan)
    with pytest.raises(SpecflowError, match=r"step 4: blocks.0.linear1.weight: .*finite"):
        measure(addition_run)
    assert not paths.spectra("addition", 0).exists()
