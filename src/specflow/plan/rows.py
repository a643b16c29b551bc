"""What experiments, connections and tickets take: members, steps, FLOPs, checkpoints, bytes."""

from dataclasses import dataclass

from specflow.lines import branches_of
from specflow.params.resolve import BranchParams, RetrainParams
from specflow.params.tasks import RunParams
from specflow.plan.costs import ModelCosts, mean_frames, state_bytes


@dataclass(frozen=True)
class Row:
    """What an experiment, a connection or a ticket takes, of all members together.

    Attributes:
        name: Its key in params.yaml.
        members: Number of runs: seeds, or branches.
        steps: Least and greatest number of optimizer steps of a member.
        parameters: Trained parameters of the model.
        flops: FLOPs of all optimizer steps; evaluation is not among them.
        checkpoints: Steps whose weights are stored.
        stored_bytes: Bytes of the trajectories.
        published_bytes: What they would take as the paper's published code stores them: optimizer
            state with every checkpoint, and of branches all checkpoints.
        mean_frames: For speech, the estimated mean number of frames that FLOPs are counted for.
    """

    name: str
    members: int
    steps: tuple[int, int]
    parameters: int
    flops: float
    checkpoints: int
    stored_bytes: int
    published_bytes: int
    mean_frames: float | None


@dataclass(frozen=True)
class _Member:
    """A run: the step it starts from, and the steps at which things of it are stored."""

    first_step: int
    weights_at: tuple[int, ...]
    state_at: tuple[int, ...]
    published_at: tuple[int, ...]


def experiment_row(name: str, run: RunParams, costs: ModelCosts) -> Row:
    """Return the row of an experiment.

    Args:
        name: Its key.
        run: Its resolved config.
        costs: What its model costs.

    Returns:
        One member a seed.
    """
    kept = run.kept_steps
    member = _Member(0, kept, run.checkpoints.split_steps, kept)
    return _row(name, run, costs, [member] * len(run.seeds))


def connection_row(branches: BranchParams, run: RunParams, costs: ModelCosts) -> Row:
    """Return the row of a connection's branches.

    Args:
        branches: Its resolved config.
        run: Resolved config of the experiment that it starts from.
        costs: What the model costs.

    Returns:
        One member a branch, those from perturbed split points too; the trunks are the experiment's.
    """
    kept = run.kept_steps
    starts = [branch.split_step for branch in branches_of(branches)]
    members = [
        _Member(start, kept[-1:], (), tuple(step for step in kept if step > start))
        for start in starts
    ]
    return _row(branches.connection, run, costs, members)


def ticket_row(ticket: RetrainParams, run: RunParams, costs: ModelCosts) -> Row:
    """Return the row of a lottery ticket.

    Args:
        ticket: Its resolved config.
        run: Resolved config of its source.
        costs: What the model costs.

    Returns:
        One member a seed, from the rewind step on.
    """
    kept = tuple(step for step in run.kept_steps if step >= ticket.rewind_step)
    member = _Member(ticket.rewind_step, kept, (), kept)
    return _row(ticket.ticket, run, costs, [member] * len(run.seeds))


def _row(name: str, run: RunParams, costs: ModelCosts, members: list[_Member]) -> Row:
    num_steps = [run.kept_steps[-1] - member.first_step for member in members]
    samples = sum(_num_samples(run, member.first_step) for member in members)
    state = state_bytes(run.optimizer, costs)

    def num_bytes(weights_at: tuple[int, ...], state_at: tuple[int, ...]) -> int:
        # Before the first step an optimizer has no state.
        return len(weights_at) * costs.checkpoint_bytes + sum(step > 0 for step in state_at) * state

    return Row(
        name=name,
        members=len(members),
        steps=(min(num_steps), max(num_steps)),
        parameters=costs.parameters,
        flops=samples * costs.flops_per_sample,
        checkpoints=sum(len(member.weights_at) for member in members),
        stored_bytes=sum(num_bytes(m.weights_at, m.state_at) for m in members),
        published_bytes=sum(num_bytes(m.published_at, m.published_at) for m in members),
        mean_frames=mean_frames(run),
    )


def _num_samples(run: RunParams, start: int) -> int:
    """Return how many samples are trained on from a step to the end, each as often as it comes."""
    num_train = run.dataset.num_train
    epoch, position = divmod(start, run.epoch_steps)
    return (run.num_epochs - epoch) * num_train - position * run.samples_per_step(num_train)
