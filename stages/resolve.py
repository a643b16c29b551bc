"""Validate params.yaml and write one complete config per experiment, a file per concern."""

from pathlib import Path

import torch

from specflow import paths
from specflow.errors import SpecflowError
from specflow.models import build_model, wiring_of
from specflow.params.errors import ParamsError
from specflow.params.figures import SuiteFigureParams, chosen_matrices, chosen_pairs
from specflow.params.file import Params, load_params
from specflow.params.groups import Groups, groups_of
from specflow.params.resolve import (
    Collected,
    CollectedSuite,
    CollectParams,
    PrepareParams,
    branch_params,
    collected_connection,
    compare_params,
    connect_params,
    retrain_params,
    run_params,
    write_config,
)
from specflow.section import Section
from specflow.stage import run_stage


def main(option: str = "") -> None:
    """Check everything before anything is written; with --check, write nothing.

    Args:
        option: Empty, or --check.

    Raises:
        SpecflowError: If the option is another one.
    """
    if option not in ("", "--check"):
        raise SpecflowError(f"got {option!r}; expected no option, or --check")
    params = load_params(paths.PARAMS)
    _check_tickets(params)
    sections = _sections(params)
    if option != "--check":
        for path in set(paths.CONFIG.rglob("*.json")) - set(sections):
            path.unlink()
        for path, section in sections.items():
            write_config(path, section)


def _sections(params: Params) -> dict[Path, Section]:
    """Return every resolved section by the place of its file."""
    groups = groups_of(params)
    sections: dict[Path, Section] = {
        paths.CLAIMS_CONFIG: params.claims,
        paths.FIGURES_CONFIG: params.figures,
        paths.GROUPS_CONFIG: groups,
    }
    for name, dataset in params.datasets.items():
        sections[paths.dataset_config(name)] = PrepareParams(dataset=dataset)
    for name, experiment in params.experiments.items():
        sections[paths.experiment_config(name, "training")] = run_params(params, name)
        sections[paths.experiment_config(name, "spectra")] = experiment.spectra
        sections[paths.experiment_config(name, "prune")] = experiment.interventions
    for name in params.connections:
        sections[paths.connection_config(name, "branch")] = branch_params(params, name)
        sections[paths.connection_config(name, "connect")] = connect_params(params, name)
    for name in params.tickets:
        sections[paths.ticket_config(name, "retrain")] = retrain_params(params, name)
        sections[paths.ticket_config(name, "compare")] = compare_params(params, name)
    for name, sample in params.samples.items():
        sections[paths.sample_config(name)] = sample
    for name, suite in params.suites.items():
        sections[paths.suite_config(name)] = suite
    collected = CollectParams(
        experiments=_collected(params, groups),
        connections={name: collected_connection(params, name) for name in params.connections},
        tickets={name: retrain_params(params, name) for name in params.tickets},
        samples=params.samples,
        suites={name: _collected_suite(params, name) for name in params.suites},
    )
    return sections | {paths.COLLECT_CONFIG: collected}


def _collected_suite(params: Params, name: str) -> CollectedSuite:
    shown = params.figures.suites.get(name, SuiteFigureParams())
    return CollectedSuite(matrix=shown.matrix)


def _check_tickets(params: Params) -> None:
    """Check that every ticket keeps a weight; how many there are is known to the network alone.

    Raises:
        ParamsError: If one keeps none.
    """
    problems = []
    for name, ticket in params.tickets.items():
        experiment = params.experiments[ticket.experiment]
        with torch.device("meta"):
            model = build_model(experiment.model, params.datasets[experiment.dataset].shape)
        weights = dict(model.named_parameters())
        total = sum(weights[inner].numel() for inner in model.wiring.inner)
        if round(ticket.density * total) == 0:
            problems.append(
                f"tickets.{name}.density: got {ticket.density}, which keeps none of the {total} "
                f"weights of {ticket.experiment}; expected {1 / total:.1e} or more"
            )
    if problems:
        raise ParamsError(str(paths.PARAMS), problems)


def _collected(params: Params, groups: Groups) -> dict[str, Collected]:
    """Return what is collected of each experiment; variants that no figure names are not in full.

    Raises:
        ParamsError: If figures name matrices or pairs that are not there.
    """
    collected, problems = {}, []
    bare = groups.variants - params.figures.named
    for name, experiment in params.experiments.items():
        wiring = wiring_of(experiment.model, params.datasets[experiment.dataset].shape)
        matrices = [matrix.view.parameter for matrix in wiring.matrices]
        pairs = [pair.label for pair in wiring.pairs]
        try:
            shown_matrices = tuple(chosen_matrices(params.figures, name, matrices))
            shown_pairs = tuple(chosen_pairs(params.figures, name, pairs))
            collected[name] = Collected(
                seeds=params.seeds,
                matrices=() if name in bare else shown_matrices,
                pairs=() if name in bare else shown_pairs,
            )
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ParamsError(str(paths.PARAMS), problems)
    return collected


if __name__ == "__main__":
    run_stage(main)
