"""The plan of a whole run on slots as text: every stage, the critical path, and the wall time."""

from specflow.config.params import CommonParams
from specflow.plan.simulation import Load, critical_path, wall_time
from specflow.plan.speeds import Speed, Speeds
from specflow.plan.stages import upstream_of
from specflow.plan.table import aligned
from specflow.schedule import History

_HEADER = ("stage", "members", "a second", "s a member", "s alone", "critical", "from")
_NOTES = """\
from: measured is by `specflow repro` here with these very settings; as fast a step is of the same
  training or measurement in other amounts, an estimate is by FLOPs. Where nothing alike was
  measured on {device}, a stage is unknown, and sums count it as nothing: at least says so
a second: steps, checkpoints or points of one slot; s a member: of the longest one
s alone: with all {slots} slots to itself, and its start: the {start:.1f} s of the shortest stage
Slots are taken to be as fast as what was measured and never to wait for a scheduler"""


def wall_time_table(
    params: CommonParams, history: History, slots: int, jobs: int | None, device: str
) -> str:
    """Return the table of all stages, then sums, then notes.

    Args:
        params: What declares the stages.
        history: What `specflow repro` remembers of stages that have run.
        slots: Members side by side at most.
        jobs: Stages side by side at most; None means all that are ready.
        device: cpu or cuda, what a slot computes on.
    """
    upstream = upstream_of(params)
    speeds = Speeds(params, history, device)
    of = {name: speeds.of(name) for name in upstream}
    loads = {
        name: Load(0, ()) if one.seconds is None else one.load(speeds.start)
        for name, one in of.items()
    }
    longest, path = critical_path(list(upstream), upstream, loads)
    lines: list[tuple[str, ...]] = [_HEADER]
    lines += [_cells(name, of[name], loads[name], slots, name in path) for name in upstream]
    unknown = [name for name, one in of.items() if one.seconds is None]
    work = sum(load.start + sum(load.members) for load in loads.values())
    least = "at least " if unknown else ""
    sums = [
        f"work: {least}{work / 3600:.3g} hours of a slot",
        f"critical path: {least}{longest:.0f} s: {', '.join(path)}",
    ]
    if unknown:
        floor = max(longest, work / slots)
        sums.append(f"wall time on {slots} slots: at least {floor:.0f} s; {len(unknown)} stages")
        sums[-1] += f" of {len(of)} are unknown"
    else:
        seconds = wall_time(list(upstream), upstream, loads, slots, jobs)
        ratio = f"{seconds / longest:.3f} times the critical path"
        sums.append(f"wall time on {slots} slots: {seconds:.0f} s, {ratio}")
    notes = _NOTES.format(device=device, slots=slots, start=speeds.start)
    return "\n".join([*aligned(lines), "", *sums, "", notes])


def _cells(name: str, speed: Speed, load: Load, slots: int, critical: bool) -> tuple[str, ...]:
    known = speed.seconds is not None
    rate = f"{speed.rate:.3g} {speed.unit}" if speed.unit and speed.rate else ""
    alone = wall_time([name], {name: ()}, {name: load}, slots)
    return (
        name,
        f"{len(speed.amounts):,}",
        rate,
        f"{max(load.members, default=0):.1f}" if known else "?",
        f"{alone:.1f}" if known else "?",
        "yes" if critical else "",
        speed.source,
    )
