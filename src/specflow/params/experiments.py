"""Experiment sections of params.yaml: a task on a dataset, and what it overrides."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict

from specflow.params.tasks import TaskParams
from specflow.section import Name, Section


class ExperimentHead(Section):
    """What every experiment must name; all its other keys override those of its task."""

    model_config = ConfigDict(extra="allow")

    task: Name
    dataset: Name


class ExperimentParams(TaskParams):
    """An experiment after the merge: the keys of its task, with its own on top."""

    task: Name
    dataset: Name


def merge(base: Any, override: Any) -> Any:
    """Return `base` with `override` on top, key by key.

    A mapping of another `kind` replaces the base as a whole, since its keys are others.

    Args:
        base: A value as read from YAML; not modified.
        override: A value as read from YAML; not modified.

    Returns:
        The merged value.
    """
    if not (isinstance(base, Mapping) and isinstance(override, Mapping)):
        return override
    if override.get("kind", base.get("kind")) != base.get("kind"):
        return override
    merged = {key: merge(base[key], value) for key, value in override.items() if key in base}
    return {**base, **override, **merged}
