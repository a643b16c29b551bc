"""How much each member of a stage does, and what its speed depends on, by the stage's settings."""

from functools import singledispatch

from specflow.section import Section
from specflow.studies.connections.settings import (
    BranchSettings,
    ConnectSettings,
    branches_of,
    path_groups_of,
)
from specflow.studies.experiments.settings import PruneSettings, SpectraSettings
from specflow.studies.samples.settings import SampleSettings
from specflow.studies.tickets.settings import CompareSettings, RetrainSettings
from specflow.training.settings import RunSettings

ON_DEVICE = (
    *(RunSettings, BranchSettings, RetrainSettings, SpectraSettings),
    *(PruneSettings, ConnectSettings, CompareSettings, SampleSettings),
)
# Keys that decide how much is done, or what weights it is done with, and not how fast.
_AMOUNTS = (
    *("experiment", "seeds", "num_epochs", "checkpoints", "num_checkpoints", "pruned_steps"),
    *("trunk_seeds", "split_steps", "num_branches", "perturbation", "num_points"),
    *("across_trunks", "kind", "density", "rewind_step", "batch_norm_samples"),
)


@singledispatch
def amounts_of(settings: Section | None) -> tuple[str, tuple[float, ...]]:
    """Return the unit of what a stage does, and how many of it each member does: all in one."""
    return "", (1,)


@amounts_of.register
def _(settings: RunSettings) -> tuple[str, tuple[float, ...]]:
    return "steps", (settings.kept_steps[-1],) * len(settings.seeds)


@amounts_of.register
def _(settings: BranchSettings) -> tuple[str, tuple[float, ...]]:
    last = settings.run.kept_steps[-1]
    return "steps", tuple(last - branch.split_step for branch in branches_of(settings))


@amounts_of.register
def _(settings: RetrainSettings) -> tuple[str, tuple[float, ...]]:
    steps = settings.run.kept_steps[-1] - settings.rewind_step
    return "steps", (steps,) * len(settings.run.seeds)


@amounts_of.register(SpectraSettings)
@amounts_of.register(PruneSettings)
@amounts_of.register(CompareSettings)
def _(
    settings: SpectraSettings | PruneSettings | CompareSettings,
) -> tuple[str, tuple[float, ...]]:
    return "checkpoints", (settings.num_checkpoints,) * len(settings.seeds)


@amounts_of.register
def _(settings: ConnectSettings) -> tuple[str, tuple[float, ...]]:
    groups = path_groups_of(settings, settings.across_trunks)
    return "points", tuple(settings.num_points * len(group.endpoints) for group in groups)


def trained_by(settings: Section | None) -> RunSettings | None:
    """Return the training of a stage that trains: of an experiment, or of branches and tickets."""
    if isinstance(settings, BranchSettings | RetrainSettings):
        return settings.run
    return settings if isinstance(settings, RunSettings) else None


def pace_of(settings: Section | None) -> tuple[type, str] | None:
    """Return what the seconds of a step, checkpoint or point depend on; None if none is counted."""
    if settings is None or not amounts_of(settings)[0]:
        return None
    done = trained_by(settings) or settings
    return type(done), done.model_dump_json(exclude=set(_AMOUNTS))
