"""What every kind of experiment offers, and how the kinds are found."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol

import pandas as pd
from pydantic import Field

from specflow import studies
from specflow.datasets.dataset import DatasetSection
from specflow.errors import one_of
from specflow.frames import Frames
from specflow.section import Section
from specflow.studies.shown import Chosen, Key, ShownParams
from specflow.wiring import Wiring

Names = Annotated[tuple[str, ...], Field(strict=False)]  # of matrices, ..., which may be any text


@dataclass(frozen=True)
class Known:
    """The valid entries of a params.yaml, of which others may be faulty.

    Attributes:
        datasets: Datasets by name.
        experiments: Experiments (`ExperimentParams`) by name, merged with their tasks.
        names: All names of each section, those of faulty entries included.
    """

    datasets: Mapping[str, DatasetSection] = field(default_factory=dict)
    experiments: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, set[str]] = field(default_factory=dict)

    def unknown(self, key: str, value: str, section: str) -> list[str]:
        """Return the line that says that a name is not one of a section, nothing if it is one."""
        if value in self.names[section]:
            return []
        return [f"{key}: got {value!r}; {one_of(sorted(self.names[section]))} ({section})"]

    def seeds(self, experiment: str) -> str:
        """Return the seeds of an experiment, for the line that says what else was named."""
        return f"experiments.{experiment}.seeds = {list(self.experiments[experiment].seeds)}"

    def split_steps(self, experiment: str) -> str:
        """Return the split steps of an experiment, for the line that says what else was named."""
        steps = list(self.experiments[experiment].checkpoints.split_steps)
        return (
            f"experiments.{experiment}.checkpoints.split_steps = {steps} "
            "(optimizer state is kept only there; declaring more means training again)"
        )


class Shown(Protocol):
    """Which matrices and pairs figures show entry by entry."""

    def of(self, name: str, wiring: Wiring) -> Mapping[Key, Chosen]:
        """Return matrices and pairs of an experiment; there may be none."""

    def of_checkpoints(self, name: str) -> ShownParams:
        """Return what is asked for of checkpoints, whose matrices are not known yet."""


class Study(Section):
    """An entry of one kind of experiment in params.yaml, and the tables of all entries.

    The kind is a folder of `studies`; its section of params.yaml has the folder's name, and
    `study.py` in it holds one subclass of this class, whose `collects` is the class of what
    `collected` returns.
    """

    collects: ClassVar[type[Section]]

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit between this entry and others, which may be faulty.

        Lines are "key: got value; expected ...", with keys relative to this entry.
        """
        return []

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the complete settings of this entry by stage, those of a valid file."""
        raise NotImplementedError

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of this entry are made of, those of a valid file."""
        raise NotImplementedError

    @staticmethod
    def tables(entries: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
        """Return this kind's rows of the tables by name, all columns even if there are no rows.

        Args:
            entries: What was collected, by name of the entry, in the order of the rows.

        Raises:
            BrokenFileError: If a file of measures is missing or broken.
        """
        raise NotImplementedError

    @staticmethod
    def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any] | None:
        """Return what the metrics file says of each entry, from tables alone; None if nothing."""
        return None

    def _shared(self, kind: type[Section]) -> dict[str, Any]:
        """Return the values of the keys that another section has too."""
        own = type(self).model_fields
        return {key: getattr(self, key) for key in kind.model_fields if key in own}


@cache
def kinds_of_studies() -> Mapping[str, type[Study]]:
    """Return the class of every kind of experiment by the name of its section."""
    folders = sorted(info.name for info in pkgutil.iter_modules(studies.__path__) if info.ispkg)
    return {folder: _class_in(f"{studies.__name__}.{folder}.study") for folder in folders}


def _class_in(module: str) -> type[Study]:
    found = [
        one
        for one in vars(importlib.import_module(module)).values()
        if isinstance(one, type) and issubclass(one, Study) and one.__module__ == module
    ]
    assert len(found) == 1, (module, found)
    return found[0]


def names_in(wiring: Wiring) -> dict[Key, list[str]]:
    """Return the names of all matrices, and the labels of all pairs, in order of depth."""
    return {
        "matrix": [matrix.name for matrix in wiring.matrices],
        "pair": [pair.label for pair in wiring.pairs],
    }
