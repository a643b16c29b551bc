"""The root model of params.yaml: every section validated, experiments merged, names checked."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, create_model
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from specflow.claims.section import ClaimsParams
from specflow.config.errors import ParamsError, problems_of
from specflow.datasets.dataset import Dataset
from specflow.errors import SpecflowError
from specflow.figures.section import FiguresParams, chosen_matrices, chosen_pairs
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.section import Name, Section, Seeds
from specflow.studies.comparisons import Groups, groups_of
from specflow.studies.experiments.study import ExperimentParams, merge
from specflow.studies.study import Known, kinds_of_studies
from specflow.training.settings import TrainingParams


class CommonParams(Section):
    """What every params.yaml has; the sections of further kinds of experiments are added to it.

    Attributes:
        seeds: Seeds of the runs of every experiment.
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
        """All entries, as sections see each other."""
        names = {name: set(getattr(self, name)) for name in ("datasets", "experiments")}
        return Known(self.seeds, self.datasets, self.experiments, names)

    @property
    def groups(self) -> Groups:
        """The comparisons that the experiments allow."""
        return groups_of(self.experiments, self.datasets, self.tasks)

    def entries(self, section: str) -> Mapping[str, Any]:
        """Return the entries of one kind of experiment, a subclass of `Study`, by name."""
        entries: Mapping[str, Any] = getattr(self, section)
        return entries


def params_model() -> type[CommonParams]:
    """Return the class of a whole params.yaml, with a section for each kind of experiment."""
    sections: dict[str, Any] = {
        name: (dict[Name, kind], ...)  # type: ignore[valid-type]
        for name, kind in kinds_of_studies().items()
        if name not in CommonParams.model_fields
    }
    return create_model("Params", __base__=CommonParams, __doc__=CommonParams.__doc__, **sections)


def load_params(path: Path) -> CommonParams:
    """Read and validate a whole params.yaml.

    Args:
        path: The file.

    Returns:
        All sections, experiments merged with their tasks.

    Raises:
        ParamsError: With every error of the file, each with its path, value and expectation.
    """
    raw = _read_yaml(path)
    reading = _Reading(params_model(), raw)
    if reading.problems or reading.params is None:
        raise ParamsError(str(path), list(dict.fromkeys(reading.problems)))
    return reading.params


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        raw = YAML(typ="safe").load(path)
    except FileNotFoundError as error:
        raise ParamsError(str(path), ["there is no such file"]) from error
    except OSError as error:
        raise ParamsError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(str(path), [f"is not valid YAML: {error}"]) from error
    if not isinstance(raw, Mapping):
        sections = list(params_model().model_fields)
        raise ParamsError(str(path), [f"got {raw!r}; expected sections {sections}"])
    return raw


class _Reading:
    """One pass over a file: what is valid, and everything that is wrong."""

    def __init__(self, model: type[CommonParams], raw: Mapping[str, Any]) -> None:
        self.params: CommonParams | None = None
        self.problems: list[str] = []
        self._raw, self._model = raw, model
        merged = {**raw, "experiments": self._merged(), **self._with_defaults("checkpoints")}
        try:
            self.params = model.model_validate(merged if "experiments" in raw else raw)
        except ValidationError as error:
            self.problems += problems_of(error, model, merged, self._is_own)
        self.problems += self._cross_problems(merged)

    def _items(self, section: str) -> Mapping[Any, Any]:
        items = self._raw.get(section)
        return items if isinstance(items, Mapping) else {}

    def _merged(self) -> Any:
        """Return the experiments with the keys of their tasks and of the file below their own."""
        if not isinstance(self._raw.get("experiments"), Mapping):
            return self._raw.get("experiments")
        return {
            name: self._base_of(item, item) for name, item in self._items("experiments").items()
        }

    def _base_of(self, item: Any, own: Any) -> Any:
        task = self._items("tasks").get(item.get("task")) if _names(item, "task") else None
        common = {key: self._raw[key] for key in ("spectra", "pruning") if key in self._raw}
        return merge({**common, **task} if isinstance(task, Mapping) else common, own)

    def _with_defaults(self, section: str) -> dict[str, Any]:
        """Return a section whose entries have the file's `spectra` below their own."""
        if not self._items(section) or "spectra" not in self._raw:
            return {}
        common = {"spectra": self._raw["spectra"]}
        return {section: {name: merge(common, item) for name, item in self._items(section).items()}}

    def _is_own(self, keys: list[str]) -> bool:
        """Return whether a value stands where its path says, and not in a task or for the file.

        What is inherited from a faulty task is reported of the task alone.
        """
        if len(keys) < 2 or keys[0] not in ("experiments", "checkpoints"):
            return True
        own = self._items(keys[0]).get(keys[1])
        if keys[2:3] in (["spectra"], ["pruning"]):
            return _holds(own, keys[2:])
        if keys[0] == "checkpoints" or not isinstance(own, Mapping):
            return True
        if not isinstance(self._items("tasks").get(str(own.get("task"))), Mapping):
            return keys[2:] in (["task"], ["dataset"]) or _holds(own, keys[2:])
        return own["task"] in self._sound_tasks or _holds(own, keys[2:])

    @cached_property
    def _sound_tasks(self) -> Mapping[str, TrainingParams]:
        return self._valid("tasks", TrainingParams, self._raw)

    def _valid(self, section: str, kind: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of a section that are valid by themselves."""
        adapter, valid = TypeAdapter(kind), {}
        items = raw.get(section)
        for name, item in items.items() if isinstance(items, Mapping) else ():
            try:
                valid[name] = adapter.validate_python(item)
            except ValidationError:
                continue  # reported when the whole file was validated
        return valid

    def _cross_problems(self, merged: Mapping[str, Any]) -> list[str]:
        """Return what does not fit between entries that are valid by themselves."""
        seeds = self._valid("all", Seeds, {"all": {"seeds": self._raw.get("seeds")}})
        names = {
            section: set(map(str, self._items(section))) for section in self._model.model_fields
        }
        known = Known(
            seeds.get("seeds", ()),
            self._valid("datasets", Dataset, merged),
            self._valid("experiments", ExperimentParams, merged),
            names,
        )
        problems = self._task_problems(names["tasks"])
        for section, kind in kinds_of_studies().items():
            for name, entry in self._valid(section, kind, merged).items():
                problems += [f"{section}.{name}.{line}" for line in entry.problems(known)]
        for name in sorted(names["experiments"] & names.get("checkpoints", set())):
            expected = "expected another name, tables and figures tell them apart by it"
            problems.append(f"checkpoints.{name}: is the name of an experiment; {expected}")
        claims = self._valid("all", ClaimsParams, {"all": {"claims": self._raw.get("claims")}})
        figures = self._valid("all", FiguresParams, {"all": {"figures": self._raw.get("figures")}})
        if "claims" in claims:
            problems += claims["claims"].problems(names["experiments"])
        if "figures" in figures:
            checkpoints = names.get("checkpoints", set())
            problems += figures["figures"].unknown_names(names["experiments"], checkpoints)
            problems += self._shown_problems(figures["figures"], known)
        return problems

    def _task_problems(self, tasks: set[str]) -> list[str]:
        expected = f"expected one of {', '.join(sorted(tasks)) or 'none: there are none'} (tasks)"
        return [
            f"experiments.{name}.task: got {item['task']!r}; {expected}"
            for name, item in self._items("experiments").items()
            if _names(item, "task") and item["task"] not in tasks
        ]

    def _shown_problems(self, figures: FiguresParams, known: Known) -> list[str]:
        """Return the matrices and pairs that figures name and that networks do not have."""
        problems = []
        for name, experiment in known.experiments.items():
            if experiment.dataset in known.datasets and not experiment.problems(known):
                wiring = experiment.wiring(known.datasets[experiment.dataset])
                try:
                    chosen_matrices(figures, name, [matrix.name for matrix in wiring.matrices])
                    chosen_pairs(figures, name, [pair.label for pair in wiring.pairs])
                except SpecflowError as error:
                    problems.append(str(error))
        return problems


def _names(item: Any, key: str) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get(key), str)


def _holds(data: Any, keys: list[str]) -> bool:
    """Return whether a path leads to a value that stands in data itself."""
    for key in keys:
        if not isinstance(data, Mapping):
            return True
        if key not in data:
            return False
        data = data[key]
    return not isinstance(data, Mapping)
