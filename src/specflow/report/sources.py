"""What the report reads: claims, metrics, the list of figures, the resolved config."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter, ValidationError

from specflow import paths
from specflow.errors import SpecflowError
from specflow.figures.index import FigureEntry
from specflow.params.base import Name, Section

_Content = TypeVar("_Content")
Json = Any  # what json.loads returns


class Result(Section):
    """A claim's statistic on one subject.

    Attributes:
        value: The statistic; None where it is not defined.
        low: Lower end of its 95% interval; None where there is no interval.
        high: Upper end of it.
        num_units: Number of units that the interval is over.
        unit: What these are: seeds, matrices, ...
        verdict: Whether the claim holds on this subject.
        note: What else is to be said.
        over_null: The statistic over its null level.
    """

    value: float | None
    low: float | None
    high: float | None
    num_units: int
    unit: str
    verdict: Literal["holds", "does not hold", "undecided"]
    note: str = ""
    over_null: float | None = None


class Claim(Section):
    """A claim, and what the runs say to it.

    Attributes:
        claim: The claim in words.
        statistic: What is computed.
        holds_when: The threshold in words.
        subjects: Results by experiment, connection or ticket.
        absent: What is missing, if the claim has not been measured.
    """

    claim: str
    statistic: str
    holds_when: str
    subjects: dict[str, Result]
    absent: str = ""


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


def read_claims() -> Mapping[str, Claim]:
    """Return every claim by its id, in the order of the scorecard.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.CLAIMS, TypeAdapter(dict[Name, Claim]), "judge")


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


def read_declared() -> Declared:
    """Return the names of everything that was run.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    return _read(paths.COLLECT_CONFIG, TypeAdapter(Declared), "resolve")


def read_config_of(group: str, name: str) -> dict[str, Json]:
    """Return the resolved config of one experiment, connection or ticket, by concern.

    Args:
        group: experiments, connections or tickets.
        name: Its name.

    Returns:
        Content of every file of its folder, which holds nothing but what `resolve` last wrote.

    Raises:
        SpecflowError: If there are no such files.
    """
    folder = paths.CONFIG / group / name
    files = sorted(folder.glob("*.json"))
    if not files:
        raise SpecflowError(f"{folder} has no config; `dvc repro resolve` writes it")
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


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
