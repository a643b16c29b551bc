"""The audit names exactly the steps that are not what they claim to be."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.suites.made_up_suites import job_of, run, save_steps, suite_params, trained

from specflow.suite_results import read_audit
from specflow.suites.audit import audit_suite
from specflow.suites.partial import partial_of
from specflow.suites.run import open_job
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory


def weights_of_run(params, num_epochs, seed=0):
    """Weights of every kept step of a real run."""
    spacing = {"kind": "every", "epochs": num_epochs // 10}
    plan = {"first_epoch_points": 1, "spacing": spacing, "split_steps": []}
    raw = params.model_dump() | {"num_epochs": num_epochs, "checkpoints": plan}
    params = type(params).model_validate(raw)
    path = Path(f"run{seed}.h5")
    train_members([Member("m", params, seed, seed, path, params.kept_steps)], "train")
    with open_trajectory(path) as trajectory:
        return [
            {name: torch.from_numpy(array) for name, array in trajectory.weights(index).items()}
            for index in range(len(trajectory.steps))
        ]


def flags_of(folder, weights):
    """Flags of the audit of weights as steps 0, 10, 20, ..., as (step, flag)."""
    steps = [10 * place for place in range(len(weights))]
    for old in folder.glob("step*.pt"):
        old.unlink()
    save_steps(folder, steps, weights)
    job = job_of(folder)
    suite = open_job(job)
    partial = partial_of(suite, job.scratch)
    with partial.locked():
        audit = audit_suite(suite, partial, lambda done: None, 1)
        partial.remove()
    return [(flag.step, flag.flag) for flag in audit.flags]


def named(flag, places):
    return [(10 * place, flag) for place in sorted(places)]


def changed(weights, places, sources):
    result = list(weights)
    for place, source in zip(places, sources, strict=True):
        result[place] = weights[source]
    return result


def check_all_faults(folder, weights, others):
    """Swap, move, duplicate and replace steps; each time, exactly these are named."""
    count, choose = len(weights), random.Random(0)
    assert count >= 8
    assert flags_of(folder, weights) == []
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    adjacent = [(a, a + 1) for a in range(count - 1)]
    for a, b in [*adjacent, *choose.sample(pairs, 12)]:
        found = flags_of(folder, changed(weights, (a, b), (b, a)))
        assert found == named("out_of_order", (a, b))
    for _ in range(6):
        places = choose.sample(range(count), 4)
        found = flags_of(folder, changed(weights, places, places[1:] + places[:1]))
        assert found == named("out_of_order", places)
        a, b = places[:2]
        assert flags_of(folder, changed(weights, (a,), (b,))) == named("identical", (a, b))
    for place in (0, count // 2, count - 1):
        replaced = [*weights[:place], others[place], *weights[place + 1 :]]
        assert flags_of(folder, replaced) == named("another_initialization", (place,))


def test_steps_of_a_transformer_are_told_apart(addition_run, tmp_path):
    weights, others = (weights_of_run(addition_run, 20, seed) for seed in (0, 1))
    check_all_faults(tmp_path / "suite", weights, others)


def test_steps_of_a_convolutional_network_with_momentum_are_told_apart(digits_run, tmp_path):
    weights, others = (weights_of_run(digits_run, 40, seed) for seed in (0, 1))
    check_all_faults(tmp_path / "suite", weights, others)


def test_noise_around_a_minimum_is_not_flagged(tmp_path):
    generator = torch.Generator().manual_seed(0)
    minimum = torch.randn(40, 30, generator=generator)
    way = [minimum * done for done in np.linspace(0.3, 0.95, 6)]
    noise = [minimum + 0.02 * torch.randn(40, 30, generator=generator) for _ in range(14)]
    weights = [{"weight": weight} for weight in [*way, *noise]]
    assert flags_of(tmp_path, weights) == []
    swapped = changed(weights, (2, 12), (12, 2))
    assert flags_of(tmp_path, swapped) == named("out_of_order", (2, 12))


def test_three_identical_steps_are_all_named_with_each_other(tmp_path):
    weights = changed(trained(), (2, 6), (4, 4))
    assert flags_of(tmp_path, weights) == named("identical", (2, 4, 6))
    flags = read_flags(tmp_path)
    assert flags[0].evidence == "every parameter is that of step 40 and 60"


def read_flags(folder):
    return run(job_of(folder)).flags


def test_frozen_matrix_is_no_identical_step(tmp_path):
    weights = trained()
    for one in weights:
        one["layers.0.weight"] = weights[0]["layers.0.weight"]
    assert flags_of(tmp_path, weights) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_steps_are_audited(tmp_path, count):
    assert flags_of(tmp_path, trained(count)) == []


def test_two_runs_in_one_suite_are_told_apart_by_the_smaller_part(tmp_path):
    weights = [*trained(3, seed=1), *trained(5)]
    assert flags_of(tmp_path, weights) == named("another_initialization", (0, 1, 2))


def test_values_and_structure_are_flagged_where_they_are(tmp_path):
    weights = trained()
    weights[1]["layers.0.weight"][3, 2] = torch.nan
    weights[2]["layers.1.weight"] = torch.zeros(10, 12)
    del weights[3]["layers.0.weight"]
    weights[4]["layers.1.bias"] = torch.zeros(11)
    weights[5]["more"] = torch.zeros(2, 2)
    weights[6]["layers.1.weight"][0, 0] = -torch.inf
    save_steps(tmp_path, range(8), weights)
    found = [(flag.step, flag.flag, flag.matrix) for flag in run(job_of(tmp_path)).flags]
    assert found == [
        (1, "non_finite", "layers.0"),
        (2, "zero", "layers.1"),
        (3, "missing", "layers.0.weight"),
        (4, "reshaped", "layers.1.bias"),
        (5, "extra", "more"),
        (6, "non_finite", "layers.1"),
    ]


def test_changes_are_those_of_numpy(tmp_path):
    weights = trained(3)
    save_steps(tmp_path, [0, 5, 9], weights)
    changes = run(job_of(tmp_path)).changes["layers.1"]
    before, now = (weights[place]["layers.1.weight"].double().numpy() for place in (1, 2))
    change = np.linalg.norm(now - before) / np.linalg.norm(before)
    cosine = (now * before).sum() / np.linalg.norm(now) / np.linalg.norm(before)
    assert changes.relative_change == (
        None,
        pytest.approx(changes.relative_change[1]),
        pytest.approx(change, rel=1e-5),
    )
    assert changes.cosine[0] is None
    assert changes.cosine[2] == pytest.approx(cosine, rel=1e-5)


def test_audit_file_says_what_is_not_analysed(tmp_path):
    save_steps(tmp_path, range(3), trained(3))
    job = job_of(tmp_path, suite_params(exclude=["layers.0*"]))
    assert run(job) == read_audit(job.audit)
    assert set(read_audit(job.audit).skipped) == {"layers.0.weight", "layers.1.bias"}


def test_steps_that_are_all_identical_are_named(tmp_path):
    weights = [trained(1)[0]] * 3
    assert flags_of(tmp_path, weights) == named("identical", range(3))


def test_steps_without_any_expected_matrix_are_not_called_identical(tmp_path):
    weights = trained(5)
    for place, sizes in ((3, (7, 7)), (4, (8, 7))):
        weights[place] = {name: torch.ones(sizes[: w.ndim]) for name, w in weights[0].items()}
    assert set(flags_of(tmp_path, weights)) == {(30, "reshaped"), (40, "reshaped")}


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.float8_e4m3fn], ids=str)
def test_matrix_that_is_not_in_floating_point_at_one_step_is_named(tmp_path, dtype):
    weights = trained(6)
    weights[2]["layers.1.weight"] = weights[2]["layers.1.weight"].to(dtype)
    save_steps(tmp_path, range(6), weights)
    (flag,) = run(job_of(tmp_path)).flags
    assert (flag.step, flag.matrix, flag.flag) == (2, "layers.1.weight", "reshaped")
    assert flag.evidence == f"dtype {dtype}; float32 in other steps".replace("torch.", "")
