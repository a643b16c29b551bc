"""The comparison of tickets with their sources against slow versions written from definitions."""

from dataclasses import replace

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
    svd,
    task_of,
    write_run,
)

from specflow import paths
from specflow.checkpoints.trajectory import Trajectory, open_trajectory
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.interventions.masks import ticket_masks
from specflow.measure import tickets
from specflow.measure.layouts import TICKET
from specflow.measure.tickets import TicketJob, measure_ticket

SOURCE, PATH, TARGET = paths.trajectory("a", 0), paths.ticket("t", 0), paths.ticket_measures("t", 0)
LAST = "output.weight"


def job_of(run, kind="magnitude", density=0.5):
    """A source and a ticket whose masked weights are 0 at all its steps."""
    wiring = task_of(run).build_model().wiring
    write_run(run, SOURCE, [0, 4, 8, 12, 16])
    inner = [matrix.name for matrix in wiring.inner]
    with open_trajectory(SOURCE) as source:
        final = {name: torch.from_numpy(source.weights(-1)[name]) for name in inner}
    masks = ticket_masks(final, kind=kind, density=density, seed=0)

    def mask(step, model):
        for name, one in masks.items():
            model.get_parameter(name).data.copy_(one.apply(model.get_parameter(name).data))

    write_run(run, PATH, [8, 12, 16], change=mask)
    return TicketJob(SOURCE, PATH, TARGET, wiring, kind, density, 0, 3, WORK)


def measured(job):
    done = []
    measure_ticket(job, done.append)
    assert done == [1, 1, 1]
    return open_file(TARGET, TICKET)


def score(a, b):
    """With singular vectors of singular values of 0 agreeing with nothing."""
    both = (svd(a)[1] > 1e-9) & (svd(b)[1] > 1e-9)
    return (agreement(a, b) * both)[:3].mean()


def test_every_step_matches_numpy(addition_run):
    with measured(job_of(addition_run)) as file:
        assert file["step"][:].tolist() == [8, 12, 16]
        assert file["epoch"][:].tolist() == [2.0, 3.0, 4.0]
        for index in range(3):
            source, ticket = matrices_at(SOURCE, index + 2), matrices_at(PATH, index)
            assert set(file["matrices"]) == set(source)
            for name in source:
                found = file["matrices"][name]
                expected = score(ticket[name], source[name])
                assert found["agreement_score"][index] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("calls", "finished"), [(2, 1), (6, 2)], ids=["in the second step", "at the mask"]
)
def test_a_killed_comparison_goes_on_to_the_same_bytes(addition_run, monkeypatch, calls, finished):
    job, done = job_of(addition_run), []
    measure_ticket(job, lambda one: None)
    whole = job.target.read_bytes()
    job.target.unlink()
    decompose = tickets.decompose_all  # source and ticket of three steps, and what is masked
    monkeypatch.setattr(tickets, "decompose_all", dies_after(calls, decompose))
    with pytest.raises(Killed):
        measure_ticket(job, done.append)
    assert not job.target.exists()
    monkeypatch.setattr(tickets, "decompose_all", dies_after(7 - 2 * finished, decompose))
    measure_ticket(job, done.append)
    assert job.target.read_bytes() == whole
    assert done == [1] * (finished + 3)
    assert not SCRATCH.folder.exists()


def test_masked_final_weights_match_numpy(addition_run):
    job = job_of(addition_run)
    final = matrices_at(SOURCE, -1)
    inner = {name: weight for name, weight in final.items() if name != LAST}
    magnitudes = np.sort(abs(np.concatenate([weight.ravel() for weight in inner.values()])))
    threshold = magnitudes[-round(0.5 * len(magnitudes))]
    with measured(job) as file:
        for name, weight in inner.items():
            kept = abs(weight) >= threshold
            about = file["matrices"][name].attrs
            assert about["density"] == pytest.approx(kept.mean())
            expected = score(weight * kept, weight)
            assert about["masked_agreement_score"] == pytest.approx(expected, abs=1e-4)
        assert set(file["matrices"][LAST].attrs) == {"depth"}


def test_random_mask_keeps_the_density_of_every_layer_and_less_of_its_directions(addition_run):
    found = []
    for kind in ("magnitude", "random"):
        with measured(job_of(addition_run, kind, density=0.2)) as file:
            groups = {name: dict(group.attrs) for name, group in file["matrices"].items()}
        del groups[LAST]
        found.append(groups)
    densities = [[about["density"] for about in groups.values()] for groups in found]
    assert densities[0] == densities[1]
    magnitude, random = (
        np.mean([about["masked_agreement_score"] for about in groups.values()]) for groups in found
    )
    assert magnitude > 1.5 * random


def test_mask_of_ones_keeps_all_directions(addition_run):
    with measured(job_of(addition_run, density=1.0)) as file:
        for name, group in file["matrices"].items():
            if name != LAST:
                assert group.attrs["masked_agreement_score"] == pytest.approx(1.0, abs=1e-6)


def test_layer_of_which_the_mask_keeps_little_or_nothing(addition_run):
    """One weight is one direction; a layer that collapses, as at low densities, is no error."""
    with measured(job_of(addition_run, density=0.006)) as file:
        counts = {
            name: np.count_nonzero(weight)
            for name, weight in matrices_at(PATH, -1).items()
            if name != LAST
        }
        assert 0 in counts.values()
        assert 1 in counts.values()
        for name, count in counts.items():
            group = file["matrices"][name]
            limit = min(count, 3) / 3 + 1e-9
            assert group.attrs["masked_agreement_score"] <= limit
            assert group["agreement_score"][:].max() <= limit


def test_history_is_that_of_the_ticket(addition_run):
    with measured(job_of(addition_run)) as file, open_trajectory(PATH) as trajectory:
        for key, values in trajectory.metrics().items():
            assert np.array_equal(file[f"metrics/{key}"][:], values)


def test_convolutions_are_compared_as_matrices_in_order_of_depth(digits_run):
    job = job_of(digits_run)
    with measured(job) as file:
        names = sorted(file["matrices"], key=lambda name: file["matrices"][name].attrs["depth"])
        assert names == [matrix.name for matrix in job.wiring.matrices]
        expected = score(matrices_at(PATH, -1)[names[2]], matrices_at(SOURCE, -1)[names[2]])
        found = file["matrices"][names[2]]["agreement_score"][-1]
        assert found == pytest.approx(expected, abs=1e-4)


def test_number_of_threads_changes_no_byte(addition_run, monkeypatch):
    job = job_of(addition_run)
    found = []
    for workers in ("1", "3"):
        monkeypatch.setenv("SPECFLOW_WORKERS", workers)
        measured(job)
        found.append(TARGET.read_bytes())
    assert found[0] == found[1]


def test_ticket_of_another_mask_is_refused(addition_run):
    job = replace(job_of(addition_run), kind="random")
    with pytest.raises(SpecflowError, match=r"weights at step 8 that the ticket's mask does not"):
        measured(job)


def test_matrix_that_is_not_finite_is_named_with_its_step(addition_run, monkeypatch):
    job, weights, name = job_of(addition_run), Trajectory.weights, "blocks.0.linear1.weight"

    def with_nan(self, index):
        arrays = weights(self, index)
        if self.steps[index] == 12:
            arrays[name][arrays[name] != 0] = np.nan
        return arrays

    monkeypatch.setattr(Trajectory, "weights", with_nan)
    with pytest.raises(SpecflowError, match=rf"step 12: {name}: .*finite"):
        measured(job)
