from pathlib import Path

import h5py
import pytest
from tests.training.made_up import branch_of, run_of, train

from specflow.config.params import load_params
from specflow.plan.costs import Costs, costs_of
from specflow.plan.table import connection_row, experiment_row, human, plan_table, ticket_row
from specflow.studies.connections.settings import Branches, PerturbationParams
from specflow.studies.tickets.settings import Ticket

PRESETS = Path(__file__).parents[2] / "presets"
COSTS = Costs(sizes=(100, 10), checkpoint_bytes=440, flops_per_sample=7.0)
STATE = 2 * 440 + 2 * 4


def connection(**changed):
    values = {
        "trunk_seeds": [0, 1],
        "split_steps": [0, 2],
        "num_branches": 3,
        "perturbation": None,
    }
    return Branches.model_validate(values | changed)


@pytest.mark.parametrize(
    ("fixture", "sizes"),
    [
        ("addition_run", {"d_model": 128, "d_mlp": 512}),  # AdamW
        ("digits_run", {"width": 16}),  # momentum, and buffers
    ],
)
def test_stored_bytes_are_those_of_the_files(fixture, sizes, request):
    run = request.getfixturevalue(fixture)
    # A model whose arrays are large beside HDF5's own structures.
    run = run.model_copy(update={"model": run.model.model_copy(update=sizes)})
    costs = costs_of({"run": run}, {"run": None})["run"]
    split, trunk = run.checkpoints.split_steps[1], run_of(run, "trunk")
    branch = branch_of(trunk, split)
    train(trunk)
    train(branch)
    row = experiment_row("run", run.model_copy(update={"seeds": (0,)}), costs)
    assert row.stored_bytes == pytest.approx(trunk.target.stat().st_size, rel=0.03)
    two = connection(trunk_seeds=[0], split_steps=[split], num_branches=2)
    # A branch's file holds one checkpoint, so that what HDF5 adds to each array weighs more.
    added = branch.target.stat().st_size - connection_row("twins", two, run, costs).stored_bytes / 2
    with h5py.File(branch.target) as file:
        arrays = len(file["weights"]) + len(file.get("buffers", {}))
    assert 0 < added / arrays < 5000
    assert added < 0.15 * branch.target.stat().st_size


def test_experiment_counts_runs_steps_and_checkpoints(addition_run):
    row = experiment_row("addition", addition_run, COSTS)
    assert (row.runs, row.steps, row.parameters) == (2, (16, 16), 110)
    assert addition_run.kept_steps == (0, 2, 4, 8, 12, 16)
    assert row.checkpoints == 2 * 6
    # Split steps 0, 2, 8: no state before the first step.
    assert row.stored_bytes == 2 * (6 * 440 + 2 * STATE)
    assert row.published_bytes == 2 * (6 * 440 + 5 * STATE)
    assert addition_run.num_train % addition_run.batch_size  # a short last batch counts as it is
    assert row.flops == 2 * 4 * addition_run.num_train * 7.0


def test_connection_counts_what_branches_train_and_keep(addition_run):
    row = connection_row("twins", connection(), addition_run, COSTS)
    assert (row.runs, row.steps, row.checkpoints) == (12, (14, 16), 12)
    from_start = 4 * addition_run.num_train
    from_two = from_start - 2 * addition_run.batch_size
    assert row.flops == 2 * 3 * (from_start + from_two) * 7.0
    assert row.stored_bytes == 12 * 440
    assert row.published_bytes == 6 * (5 + 4) * (440 + STATE)


def test_perturbed_split_points_have_branches_of_their_own(addition_run):
    perturbed = PerturbationParams(split_step=2, scales=(0.5, 1.0))
    row = connection_row("twins", connection(perturbation=perturbed), addition_run, COSTS)
    assert row.runs == 12 + 2 * 2 * 3
    assert row.stored_bytes == 24 * 440


def test_ticket_trains_every_seed_from_its_rewind_step(addition_run):
    ticket = Ticket(experiment="addition", kind="magnitude", density=0.5, rewind_step=2)
    row = ticket_row("won", ticket, addition_run, COSTS)
    assert (row.name, row.runs, row.steps, row.checkpoints) == ("won", 2, (14, 14), 2 * 5)
    assert row.stored_bytes == 2 * 5 * 440
    assert row.published_bytes == 2 * 5 * (440 + STATE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0 "), (999, "999 "), (999.6, "1 k"), (14_728_266, "14.7 M"), (2.5e18, "2.5 E")],
)
def test_numbers_have_three_digits_and_a_prefix(value, expected):
    assert human(value) == expected


@pytest.mark.slow
def test_paper_preset_prints_every_experiment_connection_and_ticket():
    params = load_params(PRESETS / "paper.yaml")
    text = plan_table(params)
    lines = text.splitlines()
    table = lines[: lines.index("")]
    expected = ["experiments", *params.experiments, "connections", *params.connections]
    expected += ["tickets", *params.tickets] if params.tickets else []
    assert [line.split()[0] for line in table[1:]] == [*expected, "sum"]
    assert len({len(line) for line in table if "B" in line}) == 1  # aligned at the right
    vgg = next(line for line in table if line.split()[0] == "vgg")
    assert vgg.split()[1:5] == ["3", "57,728", "14.7", "M"]
    marked = {line.split()[0] for line in table if " *" in line}  # estimates: speech alone
    assert marked == {"sum", *(name for name in params.experiments if name.startswith("lstm"))}
    assert "423 frames" in text


def amounts(line: str) -> dict[str, float]:
    """Runs, checkpoints, FLOPs, stored and published bytes of a line of the table."""
    words = line.split()
    flops, checkpoints, stored, published = words[-7:-5], words[-5], words[-4:-2], words[-2:]
    values = {"runs": float(words[1]), "checkpoints": float(checkpoints)}
    for name, (number, unit) in [("flops", flops), ("stored", stored), ("published", published)]:
        values[name] = float(number) * 1000.0 ** " kMGT".index(unit[0] if unit[1:] else " ")
    return values


def test_last_row_has_the_sums():
    params = load_params(PRESETS / "tiny.yaml")
    text = plan_table(params)
    assert "*" not in text
    lines = text.splitlines()
    table = lines[1 : lines.index("")]
    *rows, sums = [amounts(line) for line in table if len(line.split()) > 1]
    assert len(rows) == len(params.experiments) + len(params.connections) + len(params.tickets)
    for name, value in sums.items():
        assert value == pytest.approx(sum(row[name] for row in rows), rel=0.01), name
