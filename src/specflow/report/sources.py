"""What the report reads beside the scorecard: metrics, the list of figures, resolved config."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter, ValidationError

from specflow import paths
from specflow.errors import SpecflowError
from specflow.figures.index import FigureEntry
from specflow.section import Fraction, Name, Section
from specflow.suite_results import Flag

_Content = TypeVar("_Content")
Json = Any  # what json.loads returns


class Spread(Section):
    """Mean and standard deviation; None where the quantity is not always defined."""

    mean: float | None
    std: float | None


class Metrics(RootModel[dict[str, "Spread | Metrics"]]):
    """Final quantities, nested."""


class Declared(BaseModel):
    """Names of everything that was run, each with its part of the resolved config."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiments: dict[Name, dict[str, Json]] = Field(default_factory=dict)
    connections: dict[Name, dict[str, Json]] = Field(default_factory=dict)
    tickets: dict[Name, dict[str, Json]] = Field(default_factory=dict)
    samples: dict[Name, dict[str, Json]] = Field(default_factory=dict)
    suites: dict[Name, dict[str, Json]] = Field(default_factory=dict)


class Judging(BaseModel):
    """How claims were judged; thresholds are in the scorecard."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    confidence: Fraction


def read_confidence() -> float:
    """Return the confidence of all intervals, in (0, 1).

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.CLAIMS_CONFIG, TypeAdapter(Judging), "resolve").confidence


def read_summary() -> Mapping[str, Mapping[str, Metrics]]:
    """Return the final quantities by group (experiments, ...) and name.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.SUMMARY, TypeAdapter(dict[str, dict[str, Metrics]]), "collect")


def read_index() -> list[FigureEntry]:
    """Return the list of all figures.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.FIGURES_INDEX, TypeAdapter(list[FigureEntry]), "figures")


def read_flags(path: Path) -> dict[str, list[Flag]]:
    """Return what audits found wrong, by suite.

    Args:
        path: The table of all flags.

    Raises:
        SpecflowError: If the table is missing or broken.
    """
    if not path.is_file():
        raise SpecflowError(f"there is no table {path}; `dvc repro collect` writes it")
    flags: dict[str, list[Flag]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                step = int(row.pop("step"))
                flags.setdefault(row.pop("suite"), []).append(Flag(step=step, **row))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise SpecflowError(
            f"{path}: no table of flags; `dvc repro -f collect` writes it"
        ) from error
    return flags


def read_declared() -> Declared:
    """Return the names of everything that was run.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.COLLECT_CONFIG, TypeAdapter(Declared), "resolve")


def read_config_of(group: str, name: str) -> dict[str, Json]:
    """Return the resolved config of one experiment, connection, ticket, set of samples or suite.

    Args:
        group: Which of these it is, as a folder of the config.
        name: Its name.

    Returns:
        By concern, the content of every file of its folder, which holds nothing but what `resolve`
        last wrote; by the group, that of its file if it has one instead of a folder.

    Raises:
        SpecflowError: If there are no such files.
    """
    folder = paths.CONFIG / group / name
    files = {file.stem: file for file in sorted(folder.glob("*.json"))}
    single = folder.with_suffix(".json")
    if single.is_file():
        files[group] = single
    if not files:
        raise SpecflowError(f"{folder} has no config; `dvc repro resolve` writes it")
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}


def _read(path: Path, adapter: TypeAdapter[_Content], stage: str) -> _Content:
    if not path.is_file():
        raise SpecflowError(f"there is no file {path}; `dvc repro {stage}` writes it")
    try:
        return adapter.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        raise SpecflowError(
            f"{path}: {place}: got {first['input']!r}; {first['msg']}; "
            f"`dvc repro -f {stage}` writes it anew"
        ) from error
