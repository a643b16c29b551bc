import h5py
import numpy as np
import pytest
import torch

from specflow import datasets, paths
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.layouts import CONNECTION
from specflow.measure import connectivity as module
from specflow.measure.connectivity import ConnectionJob, measure_connection
from specflow.params.resolve import ConnectParams
from specflow.params.tasks import InterventionParams, SpectraParams
from specflow.training.members import Branching, Member, train_members
from specflow.training.order import branch_order_seed
from specflow.trajectory import open_trajectory

PARAMS = ConnectParams(
    num_points=5,
    across_trunks=False,
    interventions=InterventionParams(keep_fractions=(0.5,), batch_norm_samples=100),
    spectra=SpectraParams(diagonal_length=4, score_length=3, mass=0.9),
)


@pytest.fixture
def ends(addition_run):
    """Ends of three branches from the middle of a run."""
    trunk = paths.trajectory("addition", 0)
    train_members([Member("m", addition_run, 0, 0, trunk, addition_run.kept_steps)], "trunk")
    branches = {
        number: Member(
            f"b{number}",
            addition_run,
            0,
            branch_order_seed(number),
            paths.branch("c", 0, 8, number),
            addition_run.kept_steps[-1:],
            Branching(trunk, 8),
        )
        for number in range(3)
    }
    train_members(list(branches.values()), "branch")
    return {number: branch.path for number, branch in branches.items()}


def measure(run, ends, lines=("0-1", "0-2", "1-2")):
    target = paths.connection("c", 0, 8)
    done = []
    named = {name: tuple(ends[int(number)] for number in name.split("-")) for name in lines}
    job = ConnectionJob(run, PARAMS, named, target)
    measure_connection(job, done.append)
    assert sum(done) == job.num_points
    return target


def test_every_line_is_measured(addition_run, ends):
    with open_file(measure(addition_run, ends), CONNECTION) as file:
        assert set(file) == {"alpha", "0-1", "0-2", "1-2"}
        assert file["alpha"][:] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_ends_of_a_line_have_the_metrics_of_their_branches(addition_run, ends):
    with open_file(measure(addition_run, ends), CONNECTION) as file:
        for index, branch in ((0, 1), (-1, 2)):
            with open_trajectory(ends[branch]) as trajectory:
                for key, values in trajectory.metrics().items():
                    curve = file[f"1-2/curves/full/1.0/{key}"]
                    assert curve[index] == pytest.approx(values[-1], rel=1e-6)


def test_a_line_does_not_depend_on_what_is_measured_beside_it(addition_run, ends):
    def values(lines):
        with open_file(measure(addition_run, ends, lines), CONNECTION) as file:
            names = []
            file["1-2"].visit(names.append)
            data = {name: file["1-2"][name] for name in names}
            return {name: d[:].tolist() for name, d in data.items() if isinstance(d, h5py.Dataset)}

    alone = values(["1-2"])
    assert alone == values(["0-1", "0-2", "1-2"])
    assert len(alone) > 10


def test_an_end_is_decomposed_and_evaluated_once_for_all_its_lines(addition_run, ends, monkeypatch):
    calls = {"pruned": 0, "evaluated": 0}
    pruned, evaluate = module.Pruned, module.evaluate_changed

    def count(name, function):
        def counted(*arguments):
            calls[name] += 1
            return function(*arguments)

        return counted

    monkeypatch.setattr(module, "Pruned", count("pruned", pruned))
    monkeypatch.setattr(module, "evaluate_changed", count("evaluated", evaluate))
    measure(addition_run, ends)
    networks = 3 + 3 * 3  # ends, and interior points of three lines
    assert calls == {"pruned": networks, "evaluated": 3 * networks}


def test_ranks_along_a_line_match_numpy(addition_run, ends):
    weights = []
    for branch in (0, 2):
        with open_trajectory(ends[branch]) as trajectory:
            weights.append({k: w.astype(np.float64) for k, w in trajectory.weights(-1).items()})
    with open_file(measure(addition_run, ends), CONNECTION) as file:
        for name, found in file["0-2/ranks"].items():
            for alpha, rank in zip(file["alpha"][:], found[:], strict=True):
                S = np.linalg.svd((1 - alpha) * weights[0][name] + alpha * weights[1][name])[1]
                p = S / S.sum()
                assert rank == pytest.approx(np.exp(-(p * np.log(p)).sum()) / len(S), rel=1e-5)


def test_end_on_other_data_is_refused(addition_run, ends):
    dataset = addition_run.dataset.model_copy(update={"seed": 5})
    datasets.prepare(dataset, paths.dataset("addition"))
    with pytest.raises(SpecflowError, match="trained on data of fingerprint"):
        measure(addition_run, ends)


def test_barrier_is_the_highest_rise_above_the_chord(addition_run, ends):
    with open_file(measure(addition_run, ends), CONNECTION) as file:
        for keep in ("full/1.0", "top/0.5", "bottom/0.5"):
            curve = file[f"0-1/curves/{keep}/validation/loss"]
            loss = curve[:]
            chord = np.linspace(loss[0], loss[-1], 5)
            assert curve.attrs["barrier"] == pytest.approx((loss - chord)[1:-1].max())


def test_agreement_of_the_ends_matches_numpy(addition_run, ends):
    weights = []
    for branch in (0, 1):
        with open_trajectory(ends[branch]) as trajectory:
            weights.append(trajectory.weights(-1)["blocks.0.linear1.weight"].astype(np.float64))
    (U, _, Vh), (Ue, _, Vhe) = (np.linalg.svd(w, full_matrices=False) for w in weights)
    expected = abs((U * Ue).sum(0) * (Vh * Vhe).sum(1))
    with open_file(measure(addition_run, ends), CONNECTION) as file:
        found = file["0-1/agreement/blocks.0.linear1.weight"]
        assert found[:] == pytest.approx(expected[:4], abs=1e-4)
        assert found.attrs["score"] == pytest.approx(expected[:3].mean(), abs=1e-4)
        assert 0 < found.attrs["null_level"] < 0.2


def test_a_branch_and_itself_agree_and_have_no_barrier(addition_run, ends):
    with open_file(measure(addition_run, {0: ends[0], 1: ends[0]}, ["0-1"]), CONNECTION) as file:
        for data in file["0-1/agreement"].values():
            assert data.attrs["score"] == pytest.approx(1.0, abs=1e-6)
        curve = file["0-1/curves/full/1.0/train/loss"]
        assert curve.attrs["barrier"] == pytest.approx(0.0, abs=1e-6)
        assert np.ptp(curve[:]) < 1e-6


def test_agreement_with_an_all_zero_matrix_is_not_defined(addition_run, ends, monkeypatch):
    read = module.final_weights

    def without_output(path, task):
        weights = read(path, task)
        return weights | {"output.weight": torch.zeros_like(weights["output.weight"])}

    monkeypatch.setattr(module, "final_weights", without_output)
    with open_file(measure(addition_run, ends, ["0-1"]), CONNECTION) as file:
        agreement = file["0-1/agreement"]
        assert np.isnan(agreement["output.weight"][:]).all()
        assert np.isnan(agreement["output.weight"].attrs["score"])
        assert np.isfinite(agreement["embedding.weight"][:]).all()
