"""results/config.json: the complete settings of every stage, and the code that it runs.

{stage: {name: {settings..., "code": {file: hash}}}}. A stage depends on its own key of the file
alone, through DVC's `params:`; stages that are there once have the name "all".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from specflow import paths
from specflow.claims.section import JudgeSettings
from specflow.config.code import code_of, modules_in
from specflow.config.params import CommonParams
from specflow.config.settings import ALL
from specflow.datasets.dataset import PrepareSettings
from specflow.figures.section import FiguresSettings
from specflow.section import KindSection, Name, Section
from specflow.studies.collect import CollectSettings
from specflow.studies.shown import Chosen, Key, ShownParams
from specflow.studies.study import kinds_of_studies, names_in
from specflow.wiring import Wiring

# Packages whose modules a stage imports by listing their folder.
_LISTED = {"judge": "specflow.claims", "figures": "specflow.figures", "report": "specflow.report"}


class ReportSettings(Section):
    """What the page says of experiments beside results.

    Attributes:
        stages: The stages of each kind of experiment, whose settings its sections show.
        titles: What figures call each experiment.
    """

    stages: dict[Name, tuple[str, ...]]
    titles: dict[Name, str]


def resolved(params: CommonParams) -> dict[str, dict[str, Any]]:
    """Return the settings of every stage by its name and what it is called for, as JSON values."""
    found: dict[str, dict[str, Any]] = {}
    for stage, name, settings in all_settings(params):
        code = code_of(paths.stage_script(stage), _modules(stage, settings))
        found.setdefault(stage, {})[name] = {**settings.model_dump(mode="json"), "code": code}
    return found


def all_settings(params: CommonParams) -> Iterator[tuple[str, str, Section]]:
    """Yield stage, name and settings of everything that params declare."""
    for name, dataset in params.datasets.items():
        yield "prepare", name, PrepareSettings(dataset=dataset)
    stages: dict[str, dict[str, None]] = {}  # an ordered set of each kind
    for kind in kinds_of_studies():
        for name, entry in params.entries(kind).items():
            for stage, settings in entry.settings(name, params.known).items():
                stages.setdefault(kind, {})[stage] = None
                yield stage, name, settings
    shown, groups = _Shown(params), params.groups
    collected = {
        kind: {
            name: entry.collected(name, params.known, shown).model_dump(mode="json")
            for name, entry in params.entries(kind).items()
        }
        for kind in kinds_of_studies()
    }
    yield "collect", ALL, CollectSettings(entries=collected)
    yield "judge", ALL, JudgeSettings(claims=params.claims, groups=groups)
    yield "figures", ALL, FiguresSettings(figures=params.figures, groups=groups)
    titles = {name: params.figures.title(name, groups) for name in params.entries("experiments")}
    called = {kind: tuple(own) for kind, own in stages.items()}
    yield "report", ALL, ReportSettings(stages=called, titles=titles)


class _Shown:
    """Which matrices and pairs figures show entry by entry."""

    def __init__(self, params: CommonParams) -> None:
        self._figures = params.figures
        # of variants of a series that no figure names there is nothing
        self._bare = params.groups.variants - params.figures.named

    def of(self, name: str, wiring: Wiring) -> dict[Key, Chosen]:
        if name in self._bare:
            return dict.fromkeys(names_in(wiring), Chosen())
        return {
            key: self._figures.chosen(name, key, names) for key, names in names_in(wiring).items()
        }

    def of_checkpoints(self, name: str) -> ShownParams:
        own = self._figures.of_checkpoints(name)
        return ShownParams(**{key: getattr(own, key) for key in ShownParams.model_fields})


def _modules(stage: str, settings: Section) -> list[str]:
    """Return the modules that a stage imports by name: those of kinds, or a whole folder's."""
    listed = modules_in(_LISTED[stage]) if stage in _LISTED else []
    if stage == "collect":
        listed = [f"specflow.studies.{kind}.study" for kind in kinds_of_studies()]
    return [*listed, *dict.fromkeys(_kinds_in(settings))]


def _kinds_in(value: Any) -> Iterator[str]:
    if isinstance(value, KindSection):
        yield type(value).__module__
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from _kinds_in(item)
