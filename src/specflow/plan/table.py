"""The plan as text: what experiments, connections and tickets take, sums, and what it all means."""

from dataclasses import dataclass

from specflow.config.params import CommonParams
from specflow.plan.costs import Costs, costs_of, state_bytes
from specflow.studies.connections.settings import Branches, branches_of
from specflow.studies.tickets.settings import Ticket
from specflow.training.settings import RunSettings

_HEADER = (
    "",
    "runs",
    "steps of a run",
    "parameters",
    "training FLOPs",
    "checkpoints",
    "disk",
    "published way",
)
_NOTES = """\
training FLOPs: forward and backward passes of all optimizer steps of all runs, counted in
  matrix products, convolutions and attention; evaluation is not among them
disk: arrays in trajectories, with optimizer state at split steps alone and of branches the endpoint
  alone; HDF5 adds 3 to 5 kB to each array of a file. Scratch takes as much again of a stage while
  it trains; DVC's cache holds links to the same bytes where the file system has them
published way: the same with optimizer state in every checkpoint and all checkpoints of branches"""


@dataclass(frozen=True)
class _Span:
    """A run: the step it starts from, and the steps at which things of it are stored."""

    first_step: int
    weights_at: tuple[int, ...]
    state_at: tuple[int, ...]
    published_at: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """What an experiment, a connection or a ticket takes, of all runs together.

    Attributes:
        name: Its key in params.yaml.
        runs: Number of runs: seeds, or branches.
        steps: Least and greatest number of optimizer steps of a run.
        parameters: Number of trained parameters of the model.
        flops: FLOPs of all optimizer steps; evaluation is not among them.
        checkpoints: Steps whose weights are stored.
        stored_bytes: Bytes of the trajectories.
        published_bytes: What they would take as the paper's published code stores them: optimizer
            state with every checkpoint, and of branches all checkpoints.
        mean_frames: For speech, the estimated mean number of frames that FLOPs are counted for.
    """

    name: str
    runs: int
    steps: tuple[int, int]
    parameters: int
    flops: float
    checkpoints: int
    stored_bytes: int
    published_bytes: int
    mean_frames: float | None


def plan_table(params: CommonParams) -> str:
    """Return the table of all experiments, connections and tickets, then sums, then notes."""
    runs = {name: one.run(name, params.known) for name, one in params.experiments.items()}
    datasets = {name: params.datasets[run.dataset_name] for name, run in runs.items()}
    costs = costs_of(runs, {name: one.mean_frames for name, one in datasets.items()})
    of = {name: (run, costs[name]) for name, run in runs.items()}
    groups = {"experiments": [experiment_row(name, *of[name]) for name in runs]}
    for title, row_of in (("connections", connection_row), ("tickets", ticket_row)):
        entries = params.entries(title).items()
        groups[title] = [row_of(name, one, *of[one.experiment]) for name, one in entries]
    rows = [row for group in groups.values() for row in group]
    lines: list[tuple[str, ...]] = [_HEADER]
    for title, group in groups.items():
        lines += [(title,), *map(_cells, group)] if group else []
    return "\n".join([*aligned([*lines, _sums(rows)]), "", _NOTES, *_frame_notes(rows)])


def experiment_row(name: str, run: RunSettings, costs: Costs) -> Row:
    """Return the row of an experiment: one run a seed."""
    kept = run.kept_steps
    span = _Span(0, kept, run.checkpoints.split_steps, kept)
    return _row(name, run, costs, [span] * len(run.seeds))


def connection_row(name: str, branches: Branches, run: RunSettings, costs: Costs) -> Row:
    """Return the row of a connection: one run a branch; the trunks are the experiment's."""
    kept = run.kept_steps
    starts = [branch.split_step for branch in branches_of(branches)]
    spans = [_Span(start, kept[-1:], (), tuple(s for s in kept if s > start)) for start in starts]
    return _row(name, run, costs, spans)


def ticket_row(name: str, ticket: Ticket, run: RunSettings, costs: Costs) -> Row:
    """Return the row of a lottery ticket: one run a seed, from the rewind step on."""
    kept = tuple(step for step in run.kept_steps if step >= ticket.rewind_step)
    return _row(name, run, costs, [_Span(ticket.rewind_step, kept, (), kept)] * len(run.seeds))


def _row(name: str, run: RunSettings, costs: Costs, spans: list[_Span]) -> Row:
    num_steps = [run.kept_steps[-1] - span.first_step for span in spans]
    samples = sum(_num_samples(run, span.first_step) for span in spans)
    state = state_bytes(run.optimizer, costs.sizes)

    def num_bytes(weights_at: tuple[int, ...], state_at: tuple[int, ...]) -> int:
        # Before the first step an optimizer has no state.
        return len(weights_at) * costs.checkpoint_bytes + sum(step > 0 for step in state_at) * state

    return Row(
        name=name,
        runs=len(spans),
        steps=(min(num_steps), max(num_steps)),
        parameters=sum(costs.sizes),
        flops=samples * costs.flops_per_sample,
        checkpoints=sum(len(span.weights_at) for span in spans),
        stored_bytes=sum(num_bytes(span.weights_at, span.state_at) for span in spans),
        published_bytes=sum(num_bytes(span.published_at, span.published_at) for span in spans),
        mean_frames=costs.mean_frames,
    )


def _num_samples(run: RunSettings, start: int) -> int:
    """Return how many samples are trained on from a step to the end, each as often as it comes."""
    epoch, position = divmod(start, run.epoch_steps)
    in_epochs = (run.num_epochs - epoch) * run.num_train
    return in_epochs - position * run.samples_per_step(run.num_train)


def human(value: float) -> str:
    """Return a number of at least 0 in three digits with the prefix of a power of 1000."""
    prefixes = iter(" kMGTPEZY")
    prefix = next(prefixes)
    while value >= 999.5:
        value, prefix = value / 1000, next(prefixes)
    return f"{value:.3g} {prefix.strip()}"


def _cells(row: Row) -> tuple[str, ...]:
    least, greatest = row.steps
    steps = f"{greatest:,}" if least == greatest else f"{least:,} to {greatest:,}"
    return (f"  {row.name}", f"{row.runs:,}", steps, human(row.parameters).strip(), *_summed([row]))


def _sums(rows: list[Row]) -> tuple[str, ...]:
    return ("sum", f"{sum(row.runs for row in rows):,}", "", "", *_summed(rows))


def _summed(rows: list[Row]) -> tuple[str, ...]:
    mark = "*" if any(row.mean_frames for row in rows) else ""
    return (
        f"{mark}{human(sum(row.flops for row in rows))}FLOP",
        f"{sum(row.checkpoints for row in rows):,}",
        f"{human(sum(row.stored_bytes for row in rows))}B",
        f"{human(sum(row.published_bytes for row in rows))}B",
    )


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """Return lines as long as the first, the first column to the left, the others to the right."""
    full = [line + ("",) * (len(lines[0]) - len(line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    texts = []
    for first, *others in full:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        texts.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return texts


def _frame_notes(rows: list[Row]) -> list[str]:
    frames = sorted({row.mean_frames for row in rows if row.mean_frames})
    if not frames:
        return []
    counts = " and ".join(f"{count:.0f}" for count in frames)
    return [f"*: an estimate, since utterances differ in length: {counts} frames are their mean"]
