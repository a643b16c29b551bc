from itertools import product
from pathlib import Path

import h5py
import pytest

from specflow.params.resolve import BranchParams, BranchPerturbationParams, RetrainParams
from specflow.plan.costs import ModelCosts, model_costs
from specflow.plan.rows import connection_row, experiment_row, ticket_row
from specflow.training.members import Branching, Member, train_members

COSTS = ModelCosts(sizes=(100, 10), checkpoint_bytes=440, flops_per_sample=7.0)
STATE = 2 * 440 + 2 * 4


def connection(**changed):
    values = {
        "experiment": "addition",
        "trunk_seeds": [0, 1],
        "split_steps": [0, 2],
        "num_branches": 3,
        "connection": "line",
        "perturbation": None,
    }
    return BranchParams.model_validate(values | changed)


def train(run, seeds=(), split_steps=()):
    """Train trunks, and from the first of them branches; return the bytes of each kind of file."""
    trunks = [Path(f"{seed}.h5") for seed in seeds]
    kept = run.kept_steps
    train_members(
        [
            Member(path.stem, run, seed, seed, path, kept)
            for seed, path in zip(seeds, trunks, strict=True)
        ],
        "train",
    )
    branches = [
        Member(f"b{step}-{i}", run, 0, 2**31 + i, Path(f"b{step}-{i}.h5"), kept[-1:], start)
        for step, i in product(split_steps, range(2))
        for start in [Branching(trunks[0], step)]
    ]
    train_members(branches, "branch")
    return [sum(path.stat().st_size for path in Path().glob(p)) for p in ("[0-9].h5", "b*.h5")]


def wide(run, **sizes):
    """The same run with a model whose arrays are large beside HDF5's own structures."""
    return run.model_copy(update={"model": run.model.model_copy(update=sizes)})


@pytest.mark.parametrize(
    ("fixture", "sizes"),
    [
        ("addition_run", {"d_model": 128, "d_mlp": 512}),  # AdamW
        ("digits_run", {"width": 16}),  # momentum, and buffers
    ],
)
def test_stored_bytes_are_those_of_the_files(fixture, sizes, request):
    run = wide(request.getfixturevalue(fixture), **sizes)
    costs = model_costs({"run": run})["run"]
    split = run.checkpoints.split_steps[:2]
    trunks, branches = train(run, run.seeds, split)
    row = experiment_row("run", run, costs)
    assert row.stored_bytes == pytest.approx(trunks, rel=0.03)
    row = connection_row(connection(trunk_seeds=[0], split_steps=split, num_branches=2), run, costs)
    # A branch's file holds one checkpoint, so that what HDF5 adds to each array weighs more.
    with h5py.File("b0-0.h5") as file:
        arrays = len(file["weights"]) + len(file.get("buffers", {}))
    added = branches - row.stored_bytes
    assert 0 < added / row.members / arrays < 5000
    assert added < 0.15 * branches


def test_experiment_counts_members_steps_and_checkpoints(addition_run):
    row = experiment_row("addition", addition_run, COSTS)
    assert (row.members, row.steps, row.parameters) == (2, (16, 16), 110)
    assert addition_run.kept_steps == (0, 2, 4, 8, 12, 16)
    assert row.checkpoints == 2 * 6
    # Split steps 0, 2, 8: no state before the first step.
    assert row.stored_bytes == 2 * (6 * 440 + 2 * STATE)
    assert row.published_bytes == 2 * (6 * 440 + 5 * STATE)


def test_flops_count_short_last_batches(addition_run):
    num_train = addition_run.dataset.num_train
    assert num_train % addition_run.batch_size
    row = experiment_row("addition", addition_run, COSTS)
    assert row.flops == 2 * 4 * num_train * 7.0


def test_connection_counts_what_branches_train_and_keep(addition_run):
    row = connection_row(connection(), addition_run, COSTS)
    assert (row.members, row.steps, row.checkpoints) == (12, (14, 16), 12)
    num_train = addition_run.dataset.num_train
    from_two = 4 * num_train - 2 * addition_run.batch_size
    assert row.flops == 2 * 3 * (4 * num_train + from_two) * 7.0
    assert row.stored_bytes == 12 * 440
    assert row.published_bytes == 6 * (5 + 4) * (440 + STATE)


def test_perturbed_split_points_have_branches_of_their_own(addition_run):
    perturbed = BranchPerturbationParams(split_step=2, scales=(0.5, 1.0), batch_norm_samples=10)
    row = connection_row(connection(perturbation=perturbed), addition_run, COSTS)
    assert row.members == 12 + 2 * 2 * 3
    assert row.stored_bytes == 24 * 440


def test_ticket_trains_every_seed_from_its_rewind_step(addition_run):
    ticket = RetrainParams(
        ticket="won",
        experiment="addition",
        kind="magnitude",
        density=0.5,
        rewind_step=2,
        batch_norm_samples=10,
    )
    row = ticket_row(ticket, addition_run, COSTS)
    assert (row.name, row.members, row.steps, row.checkpoints) == ("won", 2, (14, 14), 2 * 5)
    assert row.stored_bytes == 2 * 5 * 440
    assert row.published_bytes == 2 * 5 * (440 + STATE)
