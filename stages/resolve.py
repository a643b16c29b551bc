"""Validate params.yaml and write one complete config per experiment, a file per concern."""

from specflow import paths
from specflow.models import wiring_of
from specflow.params.errors import ParamsError
from specflow.params.figures import chosen_matrices, chosen_pairs
from specflow.params.file import Params, load_params
from specflow.params.resolve import (
    Collected,
    CollectParams,
    PrepareParams,
    branch_params,
    connect_params,
    run_params,
    write_config,
)
from specflow.stage import run_stage


def main() -> None:
    """Check everything before anything is written, and everything is written before work begins."""
    params = load_params(paths.PARAMS)
    collect = CollectParams(
        experiments=_collected(params),
        connections={name: branch_params(params, name) for name in params.connections},
    )
    for name, dataset in params.datasets.items():
        write_config(paths.dataset_config(name), PrepareParams(dataset=dataset))
    for name, experiment in params.experiments.items():
        write_config(paths.experiment_config(name, "training"), run_params(params, name))
        write_config(paths.experiment_config(name, "spectra"), experiment.spectra)
        write_config(paths.experiment_config(name, "prune"), experiment.pruning)
    for name in params.connections:
        write_config(paths.connection_config(name, "branch"), branch_params(params, name))
        write_config(paths.connection_config(name, "connect"), connect_params(params, name))
    write_config(paths.FIGURES_CONFIG, params.figures)
    write_config(paths.COLLECT_CONFIG, collect)
    if not params.connections:  # no stage makes the folder, and collect depends on it
        paths.CONNECTIONS.mkdir(parents=True, exist_ok=True)


def _collected(params: Params) -> dict[str, Collected]:
    collected, problems = {}, []
    for name, experiment in params.experiments.items():
        wiring = wiring_of(experiment.model, params.datasets[experiment.dataset].shape)
        matrices = [matrix.view.parameter for matrix in wiring.matrices]
        pairs = [pair.label for pair in wiring.pairs]
        try:
            collected[name] = Collected(
                seeds=params.seeds,
                matrices=tuple(chosen_matrices(params.figures, name, matrices)),
                pairs=tuple(chosen_pairs(params.figures, name, pairs)),
            )
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ParamsError(str(paths.PARAMS), problems)
    return collected


if __name__ == "__main__":
    run_stage(main)
