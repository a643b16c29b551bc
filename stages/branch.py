"""Train the branches of one connection: trunks continued with other data orders."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.stage import run_stage
from specflow.studies.connections.settings import Branch, BranchSettings, branches_of
from specflow.training.order import branch_order_seed
from specflow.training.perturbed import Perturbation
from specflow.training.runs import Branching, TrainingRun, train_runs


def main(connection: str) -> None:
    """Train the branches of the connection `connection` to the end of their trunks."""
    settings, code = read_settings("branch", connection, BranchSettings)
    runs = [
        TrainingRun(
            name=f"{connection}/{paths.branch_name(*branch)}",
            settings=settings.run,
            seed=branch.trunk_seed,
            order_seed=branch_order_seed(branch.number),
            path=paths.branch(connection, *branch),
            kept=settings.run.kept_steps[-1:],
            code=code,
            start=_start(settings, branch),
        )
        for branch in branches_of(settings)
    ]
    train_runs(runs, f"branch {connection}")


def _start(settings: BranchSettings, branch: Branch) -> Branching:
    trunk = paths.trajectory(settings.run.experiment, branch.trunk_seed)
    moved = Perturbation(branch.scale, settings.batch_norm_samples) if branch.scale else None
    return Branching(trunk, branch.split_step, moved)


if __name__ == "__main__":
    run_stage(main)
