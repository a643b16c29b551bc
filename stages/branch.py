"""Train the branches of one connection: trunks continued with other data orders."""

from specflow import paths
from specflow.config.settings import read_settings
from specflow.studies.connections.settings import Branch, BranchSettings, branches_of
from specflow.training.order import branch_order_seed
from specflow.training.perturbed import Perturbation
from specflow.training.runs import TrainingRun, train_runs


def main(connection: str) -> None:
    """Train the branches of the connection `connection` to the end of their trunks."""
    settings, code = read_settings("branch", connection, BranchSettings)
    runs = [
        TrainingRun(
            name=f"{connection}/{paths.branch_name(*branch)}",
            settings=settings.run,
            seed=branch.trunk_seed,
            order_seed=branch_order_seed(branch.number),
            target=paths.branch(connection, *branch),
            kept=settings.run.kept_steps[-1:],
            code=code,
            first_step=branch.split_step,
            trunk=paths.trajectory(settings.run.experiment, branch.trunk_seed),
            intervention=_perturbation(branch, settings.batch_norm_samples),
        )
        for branch in branches_of(settings)
    ]
    train_runs(runs, f"branch {connection}")


def _perturbation(branch: Branch, batch_norm_samples: int) -> Perturbation | None:
    if not branch.scale:
        return None
    return Perturbation(branch.scale, branch.trunk_seed, branch.number, batch_norm_samples)
