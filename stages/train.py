"""Train every seed of one experiment and keep its checkpoints."""

from specflow import paths
from specflow.params.resolve import read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage
from specflow.training.members import Member, train_members


def main(experiment: str) -> None:
    """Train the experiment `experiment`."""
    run = read_config(paths.experiment_config(experiment, "training"), RunParams)
    members = [
        Member(
            name=f"{experiment}/{paths.seed_name(seed)}",
            run=run,
            seed=seed,
            order_seed=seed,
            path=paths.trajectory(experiment, seed),
            kept=run.kept_steps,
        )
        for seed in run.seeds
    ]
    train_members(members, f"train {experiment}")


if __name__ == "__main__":
    run_stage(main)
