"""The plan of a whole run on slots as text: every stage, the critical path, and the wall time."""

from dataclasses import dataclass
from pathlib import Path

from specflow.config.params import CommonParams
from specflow.errors import SpecflowError
from specflow.executor.slurm.settings import read_cluster
from specflow.plan.simulation import Load, critical_path, wall_time
from specflow.plan.speeds import Speed, Speeds
from specflow.plan.stages import upstream_of
from specflow.plan.table import aligned
from specflow.schedule import WAITING, History

_DEVICES = "cpu", "cuda"
_HEADER = ("stage", "members", "a second", "s a member", "s alone", "critical", "from")
_NOTES = """\
from: measured is by `specflow repro` here with these very settings; as fast a step is of the same
  training or measurement in other amounts, an estimate is by FLOPs. Where nothing alike was
  measured on {device}, a stage is unknown, and sums count it as nothing: at least says so
a second: steps, checkpoints or points of one slot; s a member: of the longest one
s alone: with all {slots} slots to itself, and its start: the {start:.1f} s of the shortest stage
Slots are taken to be as fast as what was measured and never to wait for a scheduler"""


@dataclass(frozen=True)
class Slots:
    """Where a graph runs.

    Attributes:
        count: Members side by side at most.
        jobs: Stages side by side at most; None means all that are ready.
        device: cpu or cuda, what a slot computes on.
    """

    count: int
    jobs: int | None
    device: str

    @classmethod
    def of(
        cls, cluster: Path | None, count: int | None, jobs: int | None, device: str | None
    ) -> "Slots":
        """Return slots as they are given, and where they are not, as a cluster.yaml has them.

        Raises:
            SpecflowError: If the file has errors, or nobody says how many there are.
        """
        params = read_cluster(cluster) if cluster is not None else None
        count = count or (params.slots if params else None)
        if count is None:
            raise SpecflowError(
                f"{cluster}: slots: missing; expected how many members run side by side, here or "
                "as --slots"
            )
        has_gpus = params is not None and params.core.gpus > 0
        return cls(count, jobs or (WAITING if params else None), device or _DEVICES[has_gpus])


def wall_time_table(params: CommonParams, history: History, where: Slots) -> str:
    """Return the table of all stages, then sums, then notes.

    Args:
        params: What declares the stages.
        history: What `specflow repro` remembers of stages that have run.
        where: What they run on.
    """
    slots, jobs, device = where.count, where.jobs, where.device
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
