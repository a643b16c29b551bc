"""Train every run of one lottery ticket: its source's, masked, from the rewind step on."""

from specflow import paths
from specflow.params.resolve import RetrainParams, read_config
from specflow.params.tasks import RunParams
from specflow.stage import run_stage
from specflow.training.masking import Masking, new_weights_seed
from specflow.training.members import Branching, Member, train_members


def main(ticket: str) -> None:
    """Train the ticket `ticket` for every seed of its experiment."""
    params = read_config(paths.ticket_config(ticket, "retrain"), RetrainParams)
    run = read_config(paths.experiment_config(params.experiment, "training"), RunParams)
    members = [_member(params, run, seed) for seed in run.seeds]
    train_members(members, f"retrain {ticket}")


def _member(params: RetrainParams, run: RunParams, seed: int) -> Member:
    source, step = paths.trajectory(params.experiment, seed), params.rewind_step
    is_new = params.kind == "reinitialized"
    return Member(
        name=f"{params.ticket}/{paths.seed_name(seed)}",
        run=run,
        seed=new_weights_seed(seed) if is_new else seed,
        order_seed=seed,
        path=paths.ticket(params.ticket, seed),
        kept=tuple(kept for kept in run.kept_steps if kept >= step),
        start=None if is_new else Branching(source, step),
        intervention=Masking(
            source=source,
            step=step,
            kind=params.kind,
            density=params.density,
            seed=seed,
            batch_norm_samples=params.batch_norm_samples,
        ),
    )


if __name__ == "__main__":
    run_stage(main)
