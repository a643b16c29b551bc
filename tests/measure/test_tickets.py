"""The comparison of tickets with their sources against slow versions written from definitions."""

from dataclasses import replace

import numpy as np
import pytest

from specflow import paths
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.layouts import TICKET
from specflow.measure.tickets import TicketJob, measure_ticket
from specflow.models import wiring_of
from specflow.training.masking import Masking
from specflow.training.members import Branching, Member, train_members
from specflow.trajectory import Trajectory, open_trajectory

SOURCE, PATH, TARGET = paths.trajectory("a", 0), paths.ticket("t", 0), paths.ticket_measures("t", 0)
LAST = "output.weight"


def measure(run, kind="magnitude", density=0.5, step=8, workers=1):
    """Train source and ticket, unless they are there, and compare them."""
    if not PATH.exists():
        train_members([Member("s", run, 0, 0, SOURCE, run.kept_steps)], "train")
        kept = tuple(kept for kept in run.kept_steps if kept >= step)
        masking = Masking(SOURCE, step, kind, density, 0, 100)
        ticket = Member("t", run, 0, 0, PATH, kept, Branching(SOURCE, step), masking)
        train_members([ticket], "retrain")
    wiring = wiring_of(run.model, run.dataset.shape)
    job = TicketJob(SOURCE, PATH, TARGET, wiring, kind, density, 0, score_length=3)
    done = []
    measure_ticket(job, done.append, workers=workers)
    with open_trajectory(PATH) as trajectory:
        assert sum(done) == len(trajectory.steps)
    return job


def svd(weight):
    return np.linalg.svd(weight.reshape(len(weight), -1).astype(np.float64), full_matrices=False)


def score(a, b):
    """With singular vectors of singular values of 0 agreeing with nothing."""
    (U, S, Vh), (Ue, Se, Vhe) = svd(a), svd(b)
    agreement = abs((U * Ue).sum(0) * (Vh * Vhe).sum(1)) * (S > 1e-9) * (Se > 1e-9)
    return agreement[:3].mean()


def matrices_at(path, step):
    with open_trajectory(path) as trajectory:
        weights = trajectory.weights(trajectory.index_of(step))
    return {name: weight for name, weight in weights.items() if weight.ndim > 1}


def test_every_step_matches_numpy(addition_run):
    measure(addition_run)
    with open_file(TARGET, TICKET) as file:
        steps = file["step"][:].tolist()
        assert steps == [8, 12, 16]
        assert file["epoch"][:].tolist() == [2.0, 3.0, 4.0]
        for index, step in enumerate(steps):
            source, ticket = matrices_at(SOURCE, step), matrices_at(PATH, step)
            assert set(file["matrices"]) == set(source)
            for name in source:
                found = file["matrices"][name]
                expected = score(ticket[name], source[name])
                assert found["agreement_score"][index] == pytest.approx(expected, abs=1e-4)
                shares = svd(ticket[name])[1] / svd(ticket[name])[1].sum()
                rank = np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
                rank /= len(shares)
                found = found["normalized_effective_rank"][index]
                assert found == pytest.approx(rank, rel=1e-5)


def test_masked_final_weights_match_numpy(addition_run):
    measure(addition_run)
    final = matrices_at(SOURCE, 16)
    inner = {name: weight for name, weight in final.items() if name != LAST}
    magnitudes = np.sort(abs(np.concatenate([weight.ravel() for weight in inner.values()])))
    threshold = magnitudes[-round(0.5 * len(magnitudes))]
    with open_file(TARGET, TICKET) as file:
        for name, weight in inner.items():
            kept = abs(weight) >= threshold
            about = file["matrices"][name].attrs
            assert about["density"] == pytest.approx(kept.mean())
            expected = score(weight * kept, weight)
            assert about["masked_agreement_score"] == pytest.approx(expected, abs=1e-4)
        assert set(file["matrices"][LAST].attrs) == {"depth"}


def test_random_mask_keeps_the_density_of_every_layer_and_less_of_its_directions(addition_run):
    measure(addition_run)
    with open_file(TARGET, TICKET) as file:
        magnitude = {name: dict(group.attrs) for name, group in file["matrices"].items()}
    PATH.unlink()
    measure(addition_run, kind="random")
    with open_file(TARGET, TICKET) as file:
        random = {name: dict(group.attrs) for name, group in file["matrices"].items()}
    del magnitude[LAST], random[LAST]
    for name in magnitude:
        assert random[name]["density"] == magnitude[name]["density"]
    means = [
        np.mean([about["masked_agreement_score"] for about in one.values()])
        for one in (magnitude, random)
    ]
    assert means[0] > 1.5 * means[1]


def test_mask_of_ones_agrees_everywhere(addition_run):
    measure(addition_run, density=1.0)
    with open_file(TARGET, TICKET) as file:
        for name, group in file["matrices"].items():
            assert group["agreement_score"][:] == pytest.approx(1.0, abs=1e-6)
            if name != LAST:
                assert group.attrs["masked_agreement_score"] == pytest.approx(1.0, abs=1e-6)


def test_singular_vectors_of_zeros_do_not_count(addition_run):
    """A mask that keeps one weight of a matrix keeps one of its three directions at most."""
    measure(addition_run, density=0.5)
    kept = matrices_at(PATH, 16)["embedding.weight"]
    assert np.count_nonzero(kept) == 1
    with open_file(TARGET, TICKET) as file:
        embedding = file["matrices/embedding.weight"]
        assert 0 < embedding.attrs["masked_agreement_score"] < 1 / 3
        assert embedding["agreement_score"][:].max() < 1 / 3


def test_history_is_that_of_the_ticket(addition_run):
    measure(addition_run)
    with open_trajectory(PATH) as trajectory, open_file(TARGET, TICKET) as file:
        for key, values in trajectory.metrics().items():
            assert np.array_equal(file[f"metrics/{key}"][:], values)


def test_convolutions_are_compared_as_matrices(digits_run):
    measure(digits_run, density=0.5, step=2)
    with open_file(TARGET, TICKET) as file:
        names = sorted(file["matrices"], key=lambda name: file["matrices"][name].attrs["depth"])
        assert names == [
            matrix.view.parameter
            for matrix in wiring_of(digits_run.model, digits_run.dataset.shape).matrices
        ]
        expected = score(matrices_at(PATH, 4)[names[2]], matrices_at(SOURCE, 4)[names[2]])
        found = file["matrices"][names[2]]["agreement_score"][-1]
        assert found == pytest.approx(expected, abs=1e-4)


def test_layer_of_which_the_mask_keeps_nothing_agrees_with_nothing(addition_run):
    """A layer that collapses, as happens at low densities, is no error."""
    measure(addition_run, density=0.003)
    with open_file(TARGET, TICKET) as file:
        empty = [g for g in file["matrices"].values() if g.attrs.get("density") == 0]
        assert empty
        for group in empty:
            assert group.attrs["masked_agreement_score"] == 0
            assert not group["agreement_score"][:].any()
            assert np.isnan(group["normalized_effective_rank"][:]).all()


def test_number_of_threads_changes_no_byte(addition_run):
    measure(addition_run)
    first = TARGET.read_bytes()
    measure(addition_run, workers=3)
    assert TARGET.read_bytes() == first


def test_ticket_of_another_mask_is_refused(addition_run):
    job = measure(addition_run)
    with pytest.raises(SpecflowError, match=r"weights at step 8 that the ticket's mask does not"):
        measure_ticket(replace(job, kind="random"), print, workers=1)


def test_matrix_that_is_not_finite_is_named_with_its_step(addition_run, monkeypatch):
    job, weights, name = measure(addition_run), Trajectory.weights, "blocks.0.linear1.weight"

    def with_nan(self, index):
        arrays = weights(self, index)
        if self.steps[index] == 12:
            arrays[name][arrays[name] != 0] = np.nan
        return arrays

    monkeypatch.setattr(Trajectory, "weights", with_nan)
    with pytest.raises(SpecflowError, match=rf"step 12: {name}: .*finite"):
        measure_ticket(job, print, workers=1)
