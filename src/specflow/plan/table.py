"""The plan as text: aligned columns in human-readable units, sums, and what the numbers mean."""

from specflow.params.file import Params
from specflow.params.resolve import branch_params, retrain_params, run_params
from specflow.plan.costs import model_costs
from specflow.plan.rows import Row, connection_row, experiment_row, ticket_row

_HEADER = (
    "",
    "members",
    "steps of a member",
    "parameters",
    "training FLOPs",
    "checkpoints",
    "disk",
    "published way",
)
_NOTES = """\
training FLOPs: forward and backward passes of all optimizer steps of all members, counted in
  matrix products, convolutions and attention; evaluation is not among them
disk: arrays in trajectories, with optimizer state at split steps alone and of branches the end
  alone; HDF5 adds 3 to 5 kB to each array of a file. Scratch takes as much again of a stage while
  it trains; DVC's cache holds links to the same bytes where the file system has them
published way: the same with optimizer state in every checkpoint and all checkpoints of branches"""


def plan_table(params: Params) -> str:
    """Return the table of all experiments, connections and tickets.

    Args:
        params: The validated file.

    Returns:
        Lines of text, the sums in the last row, notes below.
    """
    runs = {name: run_params(params, name) for name in params.experiments}
    costs = model_costs(runs)
    experiments = [experiment_row(name, run, costs[name]) for name, run in runs.items()]
    groups = {
        "experiments": experiments,
        "connections": [
            connection_row(branches, runs[branches.experiment], costs[branches.experiment])
            for branches in (branch_params(params, name) for name in params.connections)
        ],
        "tickets": [
            ticket_row(ticket, runs[ticket.experiment], costs[ticket.experiment])
            for ticket in (retrain_params(params, name) for name in params.tickets)
        ],
    }
    rows = [row for group in groups.values() for row in group]
    lines: list[tuple[str, ...]] = [_HEADER]
    for title, group in groups.items():
        lines += [(title,), *map(_cells, group)] if group else []
    return "\n".join([*_aligned([*lines, _sums(rows)]), "", _NOTES, *_frame_notes(rows)])


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
    return (
        f"  {row.name}",
        f"{row.members:,}",
        steps,
        human(row.parameters).strip(),
        _flops([row]),
        f"{row.checkpoints:,}",
        f"{human(row.stored_bytes)}B",
        f"{human(row.published_bytes)}B",
    )


def _sums(rows: list[Row]) -> tuple[str, ...]:
    return (
        "sum",
        f"{sum(row.members for row in rows):,}",
        "",
        "",
        _flops(rows),
        f"{sum(row.checkpoints for row in rows):,}",
        f"{human(sum(row.stored_bytes for row in rows))}B",
        f"{human(sum(row.published_bytes for row in rows))}B",
    )


def _flops(rows: list[Row]) -> str:
    mark = "*" if any(row.mean_frames for row in rows) else ""
    return f"{mark}{human(sum(row.flops for row in rows))}FLOP"


def _aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """Return lines with the first column to the left, the others to the right."""
    full = [line + ("",) * (len(_HEADER) - len(line)) for line in lines]
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
