"""Train the branches of one connection: trunks continued with other data orders."""

from itertools import product

from specflow import paths
from specflow.params.resolve import BranchParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage
from specflow.training.members import Branching, Member, train_members
from specflow.training.order import branch_order_seed


def main(connection: str) -> None:
    """Train the branches of the connection `connection` to the end of their trunks."""
    params = read_config(paths.connection_config(connection, "branch"), BranchParams)
    run = read_config(paths.experiment_config(params.experiment, "training"), RunParams)
    points = product(params.trunk_seeds, params.split_steps, range(params.num_branches))
    members = [
        Member(
            name=f"{connection}/{paths.branch_name(seed, step, branch)}",
            run=run,
            seed=seed,
            order_seed=branch_order_seed(branch),
            path=paths.branch(connection, seed, step, branch),
            kept=run.kept_steps[-1:],
            start=Branching(paths.trajectory(params.experiment, seed), step),
        )
        for seed, step, branch in points
    ]
    train_members(members, f"branch {connection}")


if __name__ == "__main__":
    run_stage(main)
