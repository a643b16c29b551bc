"""The root model of params.yaml: every section validated, experiments merged, names checked."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, create_model

from specflow.claims.section import ClaimsParams
from specflow.datasets.dataset import Dataset
from specflow.errors import SpecflowError, shown
from specflow.figures.section import FiguresParams
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.section import Name, Section, Seeds
from specflow.section_errors import ParamsError, problems_of
from specflow.studies.comparisons import Groups, groups_of
from specflow.studies.experiments.study import ExperimentParams, merge
from specflow.studies.study import Known, kinds_of_studies, names_in
from specflow.training.settings import TrainingParams
from specflow.yaml_file import read_yaml

# What stands once for the file, of which entries of a section may override parts.
INHERITED = {"experiments": ("seeds", "spectra", "pruning"), "checkpoints": ("spectra",)}


class CommonParams(Section):
    """What every params.yaml has; the sections of further kinds of experiments are added to it.

    Attributes:
        seeds: Seeds of the runs of every experiment, unless it overrides them.
        spectra: What is stored of every matrix, unless an experiment overrides it.
        pruning: What is kept of every spectrum, unless an experiment overrides it.
        datasets: Datasets by name.
        tasks: How experiments are trained, by name.
        experiments: Experiments by name; of a file, tasks are merged into them.
        claims: How claims are judged.
        figures: What is drawn, and how.
    """

    seeds: Seeds
    spectra: SpectraParams
    pruning: PruningParams
    datasets: dict[Name, Dataset]
    tasks: dict[Name, TrainingParams]
    experiments: Annotated[dict[Name, ExperimentParams], Field(min_length=1)]
    claims: ClaimsParams
    figures: FiguresParams

    @property
    def known(self) -> Known:
        """What entries see of the file."""
        return Known(self.datasets, self.experiments)

    @property
    def groups(self) -> Groups:
        """The comparisons that the experiments allow."""
        return groups_of(self.experiments, self.datasets, self.tasks)

    def entries(self, section: str) -> Mapping[str, Any]:
        """Return the entries of one kind of experiment, a subclass of `Study`, by name."""
        return getattr(self, section)


def params_model() -> type[CommonParams]:
    """Return the class of a whole params.yaml, with a section for each kind of experiment."""
    sections: dict[str, Any] = {
        name: (dict[Name, kind], ...)  # type: ignore[valid-type]
        for name, kind in kinds_of_studies().items()
        if name not in CommonParams.model_fields
    }
    return create_model("Params", __base__=CommonParams, __doc__=CommonParams.__doc__, **sections)


def load_params(path: Path) -> CommonParams:
    """Read and validate a whole params.yaml, experiments merged with their tasks.

    Raises:
        ParamsError: With every error of the file, each with its path, value and expectation.
    """
    file, model = _File(_read(path)), params_model()
    params, problems = None, []
    try:
        params = model.model_validate(file.merged)
    except ValidationError as error:
        problems = problems_of(error, model, file.merged, file.is_at_fault)
    problems += file.cross_problems()
    if problems or params is None:
        raise ParamsError(str(path), list(dict.fromkeys(problems)))
    return params


def _read(path: Path) -> Mapping[str, Any]:
    try:
        raw = read_yaml(path)
    except ValueError as error:
        raise ParamsError(str(path), [str(error)]) from error
    if not isinstance(raw, Mapping):
        sections = list(params_model().model_fields)
        raise ParamsError(str(path), [f"got {shown(raw)}; expected sections {sections}"])
    return raw


class _File:
    """A file as read, and with what its experiments and checkpoints inherit."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw, self.merged = raw, dict(raw)
        for section in INHERITED:
            if isinstance(raw.get(section), Mapping):
                items = raw[section].items()
                self.merged[section] = {
                    name: merge(self._inherited(section, item), item) for name, item in items
                }

    def _inherited(self, section: str, item: Any) -> dict[str, Any]:
        """Return what an entry has of the file and, if it is an experiment, of its task."""
        common = {key: self._raw[key] for key in INHERITED[section] if key in self._raw}
        task = _task_of(item) if section == "experiments" else None
        return {**common, **_items(_items(self._raw, "tasks"), task)}

    def is_at_fault(self, keys: list[str]) -> bool:
        """Return whether an error is of the place where it was found.

        What is inherited from a faulty task, or of the file, is reported of that alone.
        """
        if len(keys) < 2 or keys[0] not in INHERITED:
            return True
        section, name, *path = keys
        own = _items(self._raw, section).get(name)
        if path and path[0] in INHERITED[section]:
            is_sound = path[0] in self._sound_settings
        else:
            is_sound = section == "checkpoints" or _task_of(own) in self._sound_tasks
        return is_sound or path in (["task"], ["dataset"], ["[key]"]) or _holds(own, path)

    @cached_property
    def _sound_tasks(self) -> Mapping[str, Any]:
        return _valid(TrainingParams, _items(self._raw, "tasks"))

    @cached_property
    def _sound_settings(self) -> set[str]:
        kinds = {"seeds": Seeds, "spectra": SpectraParams, "pruning": PruningParams}
        return {key for key, kind in kinds.items() if _valid(kind, {key: self._raw.get(key)})}

    def cross_problems(self) -> list[str]:
        """Return what does not fit between entries that are valid by themselves."""
        kinds, raw = kinds_of_studies(), self._raw
        names = {
            section: set(map(str, _items(raw, section)))
            for section in (*CommonParams.model_fields, *kinds)
        }
        entries = {
            section: _valid(kind, _items(self.merged, section)) for section, kind in kinds.items()
        }
        datasets = _valid(Dataset, _items(raw, "datasets"))
        known = Known(datasets, entries["experiments"], names)
        problems = []
        for name, item in _items(raw, "experiments").items():
            if task := _task_of(item):
                unknown = known.unknown("task", task, "tasks")
                problems += [f"experiments.{name}.{line}" for line in unknown]
        for section, valid in entries.items():
            for name, entry in valid.items():
                problems += [f"{section}.{name}.{line}" for line in entry.problems(known)]
        for name in sorted(names["experiments"] & names["checkpoints"]):
            expected = "expected another name, tables and figures tell them apart by it"
            problems.append(f"checkpoints.{name}: is the name of an experiment; {expected}")
        for claims in _valid(ClaimsParams, {"claims": raw.get("claims")}).values():
            problems += claims.problems(names["experiments"])
        for figures in _valid(FiguresParams, {"figures": raw.get("figures")}).values():
            problems += figures.unknown_names(names["experiments"], names["checkpoints"])
            problems += _shown_problems(figures, known)
        return problems


def _shown_problems(figures: FiguresParams, known: Known) -> list[str]:
    """Return the matrices and pairs that figures name and that networks do not have."""
    problems = []
    for name, experiment in known.experiments.items():
        if experiment.dataset in known.datasets and not experiment.problems(known):
            wiring = experiment.wiring(known.datasets[experiment.dataset])
            for key, names in names_in(wiring).items():
                try:
                    figures.chosen(name, key, names)
                except SpecflowError as error:
                    problems.append(str(error))
    return problems


def _items(data: Mapping[str, Any], key: Any) -> Mapping[Any, Any]:
    """Return the mapping that stands at a key; an empty one if anything else does, or nothing."""
    items = data.get(key)
    return items if isinstance(items, Mapping) else {}


def _task_of(experiment: Any) -> str | None:
    task = experiment.get("task") if isinstance(experiment, Mapping) else None
    return task if isinstance(task, str) else None


def _valid(kind: Any, items: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the entries of a section that are valid by themselves."""
    adapter, valid = TypeAdapter(kind), {}
    for name, item in items.items():
        with suppress(ValidationError):  # reported when the whole file was validated
            valid[name] = adapter.validate_python(item)
    return valid


def _holds(data: Any, keys: list[str]) -> bool:
    """Return whether a path leads to a value that stands in data itself."""
    for key in keys:
        if not isinstance(data, Mapping):
            return True
        if key not in data:
            return False
        data = data[key]
    return not isinstance(data, Mapping)
