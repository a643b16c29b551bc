"""Reading params.yaml: every section validated, experiments merged, names and steps checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from specflow.params.checks import (
    check_claims,
    check_connection,
    check_experiment,
    check_figures,
    check_sample,
    check_ticket,
)
from specflow.params.claims import ClaimsParams
from specflow.params.connections import ConnectionParams
from specflow.params.datasets import DatasetParams
from specflow.params.declared_suites import DeclaredSuite
from specflow.params.errors import ParamsError, problems_of
from specflow.params.experiments import ExperimentHead, ExperimentParams, merge
from specflow.params.figures import FiguresParams
from specflow.params.samples import SampleParams
from specflow.params.tasks import TaskParams
from specflow.params.tickets import TicketParams
from specflow.section import Name, Section, Seeds

_Validated = TypeVar("_Validated", bound=BaseModel)


class _File(Section):
    seeds: Seeds
    datasets: dict[Name, DatasetParams]
    tasks: dict[Name, TaskParams]
    experiments: Annotated[dict[Name, ExperimentHead], Field(min_length=1)]
    connections: dict[Name, ConnectionParams]
    tickets: dict[Name, TicketParams]
    claims: ClaimsParams
    samples: dict[Name, SampleParams]
    suites: dict[Name, DeclaredSuite]
    figures: FiguresParams


class Params(_File):
    """The whole of params.yaml, validated; experiments are merged with their tasks."""

    experiments: dict[Name, ExperimentParams]  # type: ignore[assignment]


def load_params(path: Path) -> Params:
    """Read and validate a whole params.yaml.

    Args:
        path: The file.

    Returns:
        All sections, experiments merged with their tasks.

    Raises:
        ParamsError: With every error of the file, each with its path, value and expectation.
    """
    raw = _read_yaml(path)
    problems: list[str] = []
    file = _validate(_File, raw, "", problems)
    experiments = _merged_experiments(raw, problems)
    problems += _cross_problems(raw, experiments)
    if problems or file is None:
        raise ParamsError(str(path), list(dict.fromkeys(problems)))
    return Params.model_construct(**{**dict(file), "experiments": experiments})


def _read_yaml(path: Path) -> Any:
    try:
        raw = YAML(typ="safe").load(path)
    except FileNotFoundError as error:
        raise ParamsError(str(path), ["there is no such file"]) from error
    except OSError as error:
        raise ParamsError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(str(path), [f"is not valid YAML: {error}"]) from error
    if not isinstance(raw, Mapping):
        raise ParamsError(str(path), [f"got {raw!r}; expected sections {list(_File.model_fields)}"])
    return raw


def _validate(
    model: type[_Validated], data: Any, prefix: str, problems: list[str], within: Any = None
) -> _Validated | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, model, data, prefix, within)
        return None


def _merged_experiments(raw: Any, problems: list[str]) -> dict[str, ExperimentParams]:
    """Merge and validate the experiments; of a faulty task's, report their own keys only."""
    tasks = _items(raw, "tasks")
    valid_tasks = _valid(raw, "tasks", TaskParams)
    experiments = {}
    for name, overrides in _items(raw, "experiments").items():
        task = overrides.get("task") if isinstance(overrides, Mapping) else None
        if not isinstance(task, str) or not isinstance(tasks.get(task), Mapping):
            continue  # reported when the whole file was validated
        merged = merge(tasks[task], overrides)
        within = None if task in valid_tasks else overrides
        prefix = f"experiments.{name}"
        experiment = _validate(ExperimentParams, merged, prefix, problems, within)
        if experiment is not None:
            experiments[str(name)] = experiment
    return experiments


def _cross_problems(raw: Any, experiments: Mapping[str, ExperimentParams]) -> list[str]:
    problems = [*_name_problems(raw)]
    datasets = _valid(raw, "datasets", DatasetParams)
    for name, experiment in experiments.items():
        if experiment.dataset in datasets:
            problems += check_experiment(name, experiment, datasets[experiment.dataset])
    seeds = _valid({"all": {"seeds": raw.get("seeds")}}, "all", Seeds).get("seeds")
    if seeds is not None:
        for name, connection in _valid(raw, "connections", ConnectionParams).items():
            problems += check_connection(name, connection, experiments, seeds)
        for name, sample in _valid(raw, "samples", SampleParams).items():
            problems += check_sample(name, sample, experiments, seeds)
    for name, ticket in _valid(raw, "tickets", TicketParams).items():
        problems += check_ticket(name, ticket, experiments)
    names = set(map(str, _items(raw, "experiments")))
    claims = _valid({"all": {"claims": raw.get("claims")}}, "all", ClaimsParams)
    if "claims" in claims:
        problems += check_claims(claims["claims"], names)
    figures = _valid({"all": {"figures": raw.get("figures")}}, "all", FiguresParams)
    if "figures" in figures:
        problems += check_figures(figures["figures"], names, set(_items(raw, "suites")))
    return problems


def _name_problems(raw: Any) -> list[str]:
    """Return the names that a section uses and another one does not have."""
    uses = [("experiments", "task", "tasks"), ("experiments", "dataset", "datasets")]
    uses += [
        (section, "experiment", "experiments") for section in ("connections", "tickets", "samples")
    ]
    problems = []
    for section, key, target in uses:
        known = sorted(map(str, _items(raw, target)))
        for name, item in _items(raw, section).items():
            value = item.get(key) if isinstance(item, Mapping) else None
            if isinstance(value, str) and value not in known:
                expected = f"expected one of {', '.join(known) or 'none: there are none'}"
                problems.append(f"{section}.{name}.{key}: got {value!r}; {expected} ({target})")
    return problems


def _items(raw: Any, section: str) -> Mapping[Any, Any]:
    items = raw.get(section)
    return items if isinstance(items, Mapping) else {}


def _valid(raw: Any, section: str, kind: Any) -> dict[Any, Any]:
    """Return the entries of a section that are valid by themselves."""
    adapter, valid = TypeAdapter(kind), {}
    for name, item in _items(raw, section).items():
        try:
            valid[name] = adapter.validate_python(item)
        except ValidationError:
            continue  # reported when the whole file was validated
    return valid
