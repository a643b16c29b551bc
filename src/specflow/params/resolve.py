"""Sections of the resolved config that no section of params.yaml is: what stages read as JSON."""

import json
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from specflow.errors import SpecflowError
from specflow.params.connections import PerturbationParams
from specflow.params.datasets import DatasetParams
from specflow.params.errors import problems_of
from specflow.params.experiments import ExperimentParams
from specflow.params.file import Params
from specflow.params.samples import SampleParams
from specflow.params.tasks import InterventionParams, RunParams, SpectraParams, TrainingParams
from specflow.params.tickets import TicketParams
from specflow.section import Name, Section, Seeds, Steps
from specflow.textfiles import write_text

_Section = TypeVar("_Section", bound=BaseModel)
_Names = Annotated[tuple[str, ...], Field(strict=False)]


class PrepareParams(Section):
    """The dataset to be prepared."""

    dataset: DatasetParams


class BranchPerturbationParams(PerturbationParams):
    """Perturbed split points; BatchNorm statistics are re-estimated on so many samples."""

    batch_norm_samples: int


class BranchParams(Section):
    """The branches of a connection; interpolating more finely does not train them again."""

    connection: Name
    experiment: Name
    trunk_seeds: Seeds
    split_steps: Steps
    num_branches: int
    perturbation: BranchPerturbationParams | None


class ConnectParams(Section):
    """What is measured between the branch ends of a connection."""

    num_points: int
    across_trunks: bool
    interventions: InterventionParams
    spectra: SpectraParams


class RetrainParams(TicketParams):
    """What the runs of a ticket depend on beside those of its experiment.

    Attributes:
        ticket: Name of the ticket.
        batch_norm_samples: Training samples, the first ones, from which BatchNorm statistics are
            re-estimated once the mask is on.
    """

    ticket: Name
    batch_norm_samples: int


class CompareParams(Section):
    """What is measured between a ticket and its source."""

    score_length: int


class Collected(Section):
    """What is collected of an experiment.

    Attributes:
        seeds: Its seeds.
        matrices: Parameters of which single singular values and diagonals go into tables.
        pairs: Labels of pairs whose diagonals go into tables.
    """

    seeds: Seeds
    matrices: _Names
    pairs: _Names


class CollectedConnection(BranchParams):
    """What is collected of a connection: all lines between its branches."""

    across_trunks: bool


class CollectedSuite(Section):
    """What is collected of a suite.

    Attributes:
        matrix: Name of the matrix whose singular values go into a table; None means the middle
            one by depth.
    """

    matrix: str | None


class CollectParams(Section):
    """Everything that tables are made of."""

    experiments: dict[Name, Collected]
    connections: dict[Name, CollectedConnection]
    tickets: dict[Name, RetrainParams]
    samples: dict[Name, SampleParams]
    suites: dict[Name, CollectedSuite]


def run_params(params: Params, name: str) -> RunParams:
    """Return the training config of an experiment, complete.

    Args:
        params: The validated file.
        name: Key of the experiment.

    Returns:
        What its runs depend on, and nothing else.
    """
    experiment = params.experiments[name]
    training = {key: getattr(experiment, key) for key in TrainingParams.model_fields}
    return RunParams(
        **training,
        experiment=name,
        dataset_name=experiment.dataset,
        dataset=params.datasets[experiment.dataset],
        seeds=params.seeds,
    )


def branch_params(params: Params, name: str) -> BranchParams:
    """Return what the branches of a connection depend on."""
    connection = params.connections[name]
    perturbation = connection.perturbation
    if perturbation is not None:
        samples = params.experiments[connection.experiment].interventions.batch_norm_samples
        perturbation = BranchPerturbationParams(**dict(perturbation), batch_norm_samples=samples)
    return BranchParams(
        connection=name,
        experiment=connection.experiment,
        trunk_seeds=connection.trunk_seeds,
        split_steps=connection.split_steps,
        num_branches=connection.num_branches,
        perturbation=perturbation,
    )


def collected_connection(params: Params, name: str) -> CollectedConnection:
    """Return what the tables of a connection are made of."""
    across_trunks = params.connections[name].across_trunks
    return CollectedConnection(**dict(branch_params(params, name)), across_trunks=across_trunks)


def connect_params(params: Params, name: str) -> ConnectParams:
    """Return what the measurements of a connection depend on beside its branches."""
    connection = params.connections[name]
    experiment: ExperimentParams = params.experiments[connection.experiment]
    return ConnectParams(
        num_points=connection.num_points,
        across_trunks=connection.across_trunks,
        interventions=experiment.interventions,
        spectra=experiment.spectra,
    )


def retrain_params(params: Params, name: str) -> RetrainParams:
    """Return what the runs of a ticket depend on beside those of its experiment."""
    ticket = params.tickets[name]
    samples = params.experiments[ticket.experiment].interventions.batch_norm_samples
    return RetrainParams(ticket=name, batch_norm_samples=samples, **dict(ticket))


def compare_params(params: Params, name: str) -> CompareParams:
    """Return what the comparison of a ticket with its source depends on beside their runs."""
    spectra = params.experiments[params.tickets[name].experiment].spectra
    return CompareParams(score_length=spectra.score_length)


def write_config(path: Path, section: BaseModel) -> None:
    """Write a section as JSON with sorted keys.

    Args:
        path: Where to; missing folders are made.
        section: The section.
    """
    content = json.dumps(section.model_dump(mode="json"), indent=2, sort_keys=True)
    write_text(path, content + "\n")


def read_config(path: Path, model: type[_Section]) -> _Section:
    """Read a section that `write_config` wrote.

    Args:
        path: The JSON file.
        model: Its class.

    Returns:
        The section.

    Raises:
        SpecflowError: If there is no such file, or one of another version of specflow.
    """
    if not path.exists():
        raise SpecflowError(f"{path}: there is no such file; `dvc repro resolve` writes it")
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problems = "; ".join(problems_of(error, model, {}, ""))
        raise SpecflowError(f"{path}: {problems}; `dvc repro -f resolve` writes it anew") from error
