"""Checks across sections of params.yaml; each returns lines "path: value; expectation"."""

from collections.abc import Mapping

from specflow.params.claims import ClaimsParams
from specflow.params.connections import ConnectionParams
from specflow.params.datasets import DatasetParams, TextDatasetParams
from specflow.params.experiments import ExperimentParams
from specflow.params.figures import FiguresParams
from specflow.params.optimization import StepSchedule
from specflow.params.samples import SampleParams
from specflow.params.tickets import TicketParams


def check_experiment(name: str, experiment: ExperimentParams, dataset: DatasetParams) -> list[str]:
    """Return what does not fit together in an experiment.

    Args:
        name: Key of the experiment.
        experiment: The merged experiment.
        dataset: The dataset that it names.

    Returns:
        One line an error.
    """
    problems = [
        *_model_problems(experiment, dataset),
        *_batch_problems(experiment, dataset.num_train),
        *_schedule_problems(experiment, dataset.num_train),
        *_split_problems(experiment, dataset.num_train),
    ]
    return [f"experiments.{name}.{problem}" for problem in problems]


def _model_problems(experiment: ExperimentParams, dataset: DatasetParams) -> list[str]:
    try:
        experiment.model.check_shape(dataset.shape)
    except ValueError as error:
        return [f"model: {error} (dataset {experiment.dataset})"]
    problem, model = experiment.problem.kind, experiment.model
    if problem not in model.solves:
        expected = " or ".join(model.solves)
        return [f"problem.kind: got {problem!r}; expected {expected}, which {model.kind} solves"]
    if isinstance(dataset, TextDatasetParams) != (problem == "language_modelling"):
        return [
            f"problem.kind: got {problem!r} on {dataset.kind} (dataset {experiment.dataset}); "
            "expected language_modelling on text, and on nothing else"
        ]
    return []


def _batch_problems(experiment: ExperimentParams, num_train: int) -> list[str]:
    size = experiment.batch_size
    if size != "full" and size >= num_train:
        return [f"batch_size: got {size}; expected less than the {num_train} samples, or full"]
    micro = experiment.accumulation_steps
    if micro > experiment.samples_per_step(num_train):
        return [f"accumulation_steps: got {micro}; expected at most the batch size"]
    return []


def _schedule_problems(experiment: ExperimentParams, num_train: int) -> list[str]:
    schedule, num_steps = experiment.schedule, experiment.num_steps(num_train)
    problems = []
    if schedule.warmup_steps >= num_steps:
        problems.append(
            f"schedule.warmup_steps: got {schedule.warmup_steps}; "
            f"expected less than the {num_steps} steps of training"
        )
    if isinstance(schedule, StepSchedule) and schedule.epochs[-1] >= experiment.num_epochs:
        problems.append(
            f"schedule.epochs: got {schedule.epochs[-1]}; "
            f"expected less than num_epochs = {experiment.num_epochs}"
        )
    return problems


def _split_problems(experiment: ExperimentParams, num_train: int) -> list[str]:
    kept = experiment.checkpoint_steps(num_train)
    problems = []
    for step in experiment.checkpoints.split_steps:
        if step >= kept[-1]:
            problems.append(f"got {step}; expected a step before the end of training, {kept[-1]}")
        elif step not in kept:
            near = sorted(sorted(kept[:-1], key=lambda other: abs(other - step))[:4])
            problems.append(
                f"got {step}; expected a step that the checkpoint plan keeps, near it: "
                + ", ".join(map(str, near))
            )
    return [f"checkpoints.split_steps: {problem}" for problem in problems]


def check_connection(
    name: str,
    connection: ConnectionParams,
    experiments: Mapping[str, ExperimentParams],
    seeds: tuple[int, ...],
) -> list[str]:
    """Return what does not fit between a connection and its experiment.

    Args:
        name: Key of the connection.
        connection: The connection.
        experiments: All valid experiments.
        seeds: The seeds that experiments are run with.

    Returns:
        One line an error.
    """
    problems = _line_problems(connection)
    experiment = experiments.get(connection.experiment)
    if experiment is not None:  # else it is reported as unknown or faulty already
        problems += _trunk_problems(connection, experiment, seeds)
    return [f"connections.{name}.{problem}" for problem in problems]


def _line_problems(connection: ConnectionParams) -> list[str]:
    problems, seeds, steps = [], connection.trunk_seeds, connection.split_steps
    if connection.across_trunks and len(seeds) < 2:
        problems.append(
            f"across_trunks: got true with trunk_seeds = {list(seeds)}; "
            "expected false, or two trunk_seeds or more"
        )
    perturbed = connection.perturbation
    if perturbed is not None and perturbed.split_step not in steps:
        problems.append(
            f"perturbation.split_step: got {perturbed.split_step}; "
            f"expected one of split_steps = {list(steps)}, whose branches are scale 0"
        )
    return problems


def _trunk_problems(
    connection: ConnectionParams, experiment: ExperimentParams, seeds: tuple[int, ...]
) -> list[str]:
    problems = []
    if missing := sorted(set(connection.trunk_seeds) - set(seeds)):
        problems.append(f"trunk_seeds: got {missing}; expected some of seeds = {list(seeds)}")
    kept = experiment.checkpoints.split_steps
    if missing := sorted(set(connection.split_steps) - set(kept)):
        problems.append(
            f"split_steps: got {missing}; expected some of "
            f"experiments.{connection.experiment}.checkpoints.split_steps = {list(kept)} "
            "(optimizer state is kept only there; declaring more means training again)"
        )
    if experiment.batch_size == "full":
        problems.append(
            f"experiment: {connection.experiment} trains on full batches, where the order of "
            "data makes no difference between branches; expected a batch_size"
        )
    return problems


def check_ticket(
    name: str, ticket: TicketParams, experiments: Mapping[str, ExperimentParams]
) -> list[str]:
    """Return what does not fit between a ticket and its experiment.

    Args:
        name: Key of the ticket.
        ticket: The ticket.
        experiments: All valid experiments.

    Returns:
        One line an error.
    """
    experiment = experiments.get(ticket.experiment)
    if experiment is None:
        return []  # reported as an unknown or faulty experiment already
    kept = experiment.checkpoints.split_steps
    if ticket.rewind_step in kept:
        return []
    return [
        f"tickets.{name}.rewind_step: got {ticket.rewind_step}; expected one of "
        f"experiments.{ticket.experiment}.checkpoints.split_steps = {list(kept)} "
        "(optimizer state is kept only there; declaring more means training again)"
    ]


def check_sample(
    name: str,
    sample: SampleParams,
    experiments: Mapping[str, ExperimentParams],
    seeds: tuple[int, ...],
) -> list[str]:
    """Return what does not fit between a set of samples and its experiment.

    Args:
        name: Key of the set.
        sample: The set.
        experiments: All valid experiments.
        seeds: The seeds that experiments are run with.

    Returns:
        One line an error.
    """
    experiment = experiments.get(sample.experiment)
    if experiment is None:
        return []  # reported as an unknown or faulty experiment already
    problems = []
    if not experiment.problem.is_generative:
        fitting = [key for key, other in experiments.items() if other.problem.is_generative]
        problems.append(
            f"experiment: got {sample.experiment!r}, whose problem {experiment.problem.kind} has "
            f"nothing to sample; expected one of {', '.join(fitting) or 'none: there are none'}"
        )
    if sample.run_seed not in seeds:
        problems.append(f"run_seed: got {sample.run_seed}; expected one of seeds = {list(seeds)}")
    return [f"samples.{name}.{problem}" for problem in problems]


def check_figures(figures: FiguresParams, experiments: set[str], suites: set[str]) -> list[str]:
    """Return the experiments and suites that figures name and that do not exist.

    Args:
        figures: The figures section.
        experiments: Names of all experiments, faulty ones included.
        suites: Names of all suites, faulty ones included.

    Returns:
        One line an error.
    """
    named = [(f"experiments.{name}", name) for name in figures.experiments]
    if figures.grokking is not None:
        named += [("grokking.experiments", name) for name in figures.grokking.experiments]
    named += [("problems", name) for name in figures.problems]
    named_suites = [(f"suites.{name}", name) for name in figures.suites]
    return [
        *_unknown("figures", named, experiments),
        *_unknown("figures", named_suites, suites),
    ]


def check_claims(claims: ClaimsParams, experiments: set[str]) -> list[str]:
    """Return the experiments that the claims section names and that cannot be compared.

    Args:
        claims: The claims section.
        experiments: Names of all experiments, faulty ones included.

    Returns:
        One line an error.
    """
    named = [(f"grokking.{role}", name) for role, name in claims.grokking or () if name]
    problems = _unknown("claims", named, experiments)
    roles = claims.grokking
    if roles is None or roles.no_decay is None:
        return problems
    for role in ("decay", "most_data"):
        if getattr(roles, role) == roles.no_decay:
            problems.append(
                f"claims.grokking.{role}: got {roles.no_decay!r}; "
                "expected another experiment than no_decay, with which it is compared"
            )
    return problems


def _unknown(section: str, named: list[tuple[str, str]], known: set[str]) -> list[str]:
    expected = ", ".join(sorted(known)) or "none: there are none"
    return [
        f"{section}.{path}: got {name!r}; expected one of {expected}"
        for path, name in named
        if name not in known
    ]
