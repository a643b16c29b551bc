from collections import Counter
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from tests.measure.made_up import (
    SCRATCH,
    WORK,
    Killed,
    agreement,
    dies_after,
    matrices_at,
    write_run,
)

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.measure import connectivity as module
from specflow.measure.connectivity import ConnectionJob, measure_connection
from specflow.measure.evaluation import Evaluation
from specflow.measure.layouts import CONNECTION
from specflow.measure.settings import PruningParams, SpectraParams

TARGET = paths.connection("c", 0, 8)


@pytest.fixture
def job(addition_run):
    """Three branches that ended somewhere, and the paths between every two."""
    ends = [
        write_run(addition_run, paths.branch("c", 0, 8, number), [16], seed=number)
        for number in range(3)
    ]
    return ConnectionJob(
        problem=addition_run,
        num_points=5,
        pruning=PruningParams(keep_fractions=(0.5,), batch_norm_samples=100),
        spectra=SpectraParams(diagonal_length=4, score_length=3, mass=0.9),
        endpoints={f"{a}-{b}": (ends[a], ends[b]) for a, b in ((0, 1), (0, 2), (1, 2))},
        target=TARGET,
        work=WORK,
    )


def measured(job, *names):
    """The open result of some of the paths, or of all."""
    if names:
        job = replace(job, endpoints={name: job.endpoints[name] for name in names})
    done = []
    measure_connection(job, done.append)
    assert sum(done) == job.total_points
    return open_file(TARGET, CONNECTION)


def test_endpoints_of_every_path_have_the_metrics_of_their_branches(job):
    with measured(job) as file:
        assert set(file) == {"alpha", "0-1", "0-2", "1-2"}
        assert file["alpha"][:] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
        for name, branches in job.endpoints.items():
            for index, branch in ((0, branches[0]), (-1, branches[1])):
                with open_trajectory(branch) as trajectory:
                    for key, values in trajectory.metrics().items():
                        curve = file[f"{name}/curves/full/1.0/{key}"]
                        assert curve[index] == pytest.approx(values[-1], rel=1e-6)


def test_a_path_does_not_depend_on_what_is_measured_beside_it(job):
    def values(*names):
        found = {}

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = item[:].tolist()

        with measured(job, *names) as file:
            file["1-2"].visititems(visit)
        return found

    alone = values("1-2")
    assert alone == values()
    assert len(alone) > 10


def test_an_endpoint_is_decomposed_and_evaluated_once_for_all_its_paths(job, monkeypatch):
    calls = Counter()

    def count(owner, name):
        function = getattr(owner, name)

        def counted(*arguments):
            calls[name] += 1
            return function(*arguments)

        monkeypatch.setattr(owner, name, counted)

    count(module, "Pruned")
    count(Evaluation, "metrics")
    measured(job)
    networks = 3 + 3 * 3  # endpoints, and interior points of three paths
    assert calls == {"Pruned": networks, "metrics": 3 * networks}


def test_agreement_and_barriers_match_their_definitions(job):
    start, end = (matrices_at(path, -1) for path in job.endpoints["0-2"])
    with measured(job, "0-2") as file:
        path = file["0-2"]
        for name in start:
            expected, found = agreement(start[name], end[name]), path["agreement"][name]
            assert found[:] == pytest.approx(expected[:4], abs=1e-4)
            assert found.attrs["score"] == pytest.approx(expected[:3].mean(), abs=1e-4)
            assert 0 < found.attrs["null_level"] < 0.3
        for keep in ("full/1.0", "top/0.5", "bottom/0.5"):
            curve = path[f"curves/{keep}/validation/loss"]
            chord = np.linspace(curve[0], curve[-1], 5)
            assert curve.attrs["barrier"] == pytest.approx((curve[:] - chord)[1:-1].max())


def test_a_branch_and_itself_agree_and_have_no_barrier(job):
    start, _ = job.endpoints["0-1"]
    with measured(replace(job, endpoints={"0-1": (start, start)})) as file:
        for data in file["0-1/agreement"].values():
            assert data.attrs["score"] == pytest.approx(1.0, abs=1e-6)
        curve = file["0-1/curves/full/1.0/train/loss"]
        assert curve.attrs["barrier"] == pytest.approx(0.0, abs=1e-6)
        assert np.ptp(curve[:]) < 1e-6


def test_agreement_with_an_all_zero_matrix_is_not_defined(job, monkeypatch):
    read = Evaluation.final_weights

    def without_output(self, path):
        weights = read(self, path)
        return weights | {"output.weight": torch.zeros_like(weights["output.weight"])}

    monkeypatch.setattr(Evaluation, "final_weights", without_output)
    with measured(job, "0-1") as file:
        found = file["0-1/agreement"]
        assert np.isnan(found["output.weight"][:]).all()
        assert np.isnan(found["output.weight"].attrs["score"])
        assert np.isfinite(found["embedding.weight"][:]).all()


def test_endpoints_agree_in_no_more_directions_than_they_have(job, monkeypatch):
    """Other singular vectors are any: the same any of both endpoints, for all that is known."""
    read = Evaluation.final_weights

    def with_one_direction(self, path):
        weights = read(self, path)
        single = torch.zeros_like(weights["output.weight"])
        single[2, 1] = 3.0
        return weights | {"output.weight": single}

    monkeypatch.setattr(Evaluation, "final_weights", with_one_direction)
    with measured(job, "0-1") as file:
        first, *others = file["0-1/agreement/output.weight"][:]
    assert first == pytest.approx(1.0)
    assert others == [0.0] * len(others)
    assert others


def test_endpoint_on_other_data_is_refused(job, addition_run):
    write_run(addition_run, paths.branch("c", 0, 8, 1), [16], fingerprint="another")
    with pytest.raises(SpecflowError, match="trained on data of fingerprint another"):
        measured(job)
    assert not TARGET.exists()


def test_a_killed_measurement_goes_on_to_the_same_bytes(job, monkeypatch):
    measured(job, "0-1", "1-2")
    whole, evaluate = TARGET.read_bytes(), Evaluation.metrics
    TARGET.unlink()
    monkeypatch.setattr(Evaluation, "metrics", dies_after(3 * 6 + 1, evaluate))
    with pytest.raises(Killed):  # in the seventh of nine networks
        measured(job, "0-1", "1-2")
    assert not TARGET.exists()
    monkeypatch.setattr(Evaluation, "metrics", dies_after(3 * 3, evaluate))
    measured(job, "0-1", "1-2")
    assert TARGET.read_bytes() == whole
    assert not SCRATCH.folder.exists()
