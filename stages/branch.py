"""Train the branches of one connection: trunks continued with other data orders."""

from specflow import paths
from specflow.lines import Branch, branches_of
from specflow.params.resolve import BranchParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage
from specflow.training.members import Branching, Member, train_members
from specflow.training.order import branch_order_seed
from specflow.training.perturbed import Perturbation


def main(connection: str) -> None:
    """Train the branches of the connection `connection` to the end of their trunks."""
    params = read_config(paths.connection_config(connection, "branch"), BranchParams)
    run = read_config(paths.experiment_config(params.experiment, "training"), RunParams)
    members = [
        Member(
            name=f"{connection}/{paths.branch_name(*branch)}",
            run=run,
            seed=branch.trunk_seed,
            order_seed=branch_order_seed(branch.number),
            path=paths.branch(connection, *branch),
            kept=run.kept_steps[-1:],
            start=_start(params, branch),
        )
        for branch in branches_of(params)
    ]
    train_members(members, f"branch {connection}")


def _start(params: BranchParams, branch: Branch) -> Branching:
    trunk = paths.trajectory(params.experiment, branch.trunk_seed)
    if not branch.scale:
        return Branching(trunk, branch.split_step)
    assert params.perturbation is not None  # no other branch has a scale
    samples = params.perturbation.batch_norm_samples
    return Branching(trunk, branch.split_step, Perturbation(branch.scale, samples))


if __name__ == "__main__":
    run_stage(main)
