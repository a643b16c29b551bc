"""What the report reads beside the scorecard and the list of figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, RootModel, TypeAdapter, ValidationError

from specflow.errors import SpecflowError
from specflow.section import Fraction, Section

_Content = TypeVar("_Content")
Json = Any  # what json.loads returns


class Spread(Section):
    """Mean and standard deviation; None where the quantity is not always defined."""

    mean: float | None
    std: float | None


class Metrics(RootModel[dict[str, "Spread | Metrics"]]):
    """Final quantities, nested."""


Summary = Mapping[str, Mapping[str, Metrics]]  # by group (experiments, ...) and name


class _Claims(BaseModel):
    """How claims were judged; thresholds are in the scorecard."""

    confidence: Fraction


class _Judging(BaseModel):
    claims: _Claims


class _Judge(BaseModel):
    all: _Judging


class Config(BaseModel):
    """The resolved settings of everything that was run, and the confidence of all intervals."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, dict[str, dict[str, Json]]]

    judge: _Judge

    def of_stage(self, stage: str) -> Mapping[str, Mapping[str, Json]]:
        """Return the settings of a stage by name; empty where nothing was run."""
        return self.__pydantic_extra__.get(stage, {})


def read(path: Path, content: TypeAdapter[_Content], stage: str) -> _Content:
    """Read a file of JSON.

    Args:
        path: The file.
        content: What is in it.
        stage: The stage that writes it.

    Raises:
        SpecflowError: If the file is missing or broken.
    """
    if not path.is_file():
        raise SpecflowError(f"there is no file {path}; `dvc repro {stage}` writes it")
    try:
        return content.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        raise SpecflowError(
            f"{path}: {place}: got {first['input']!r}; {first['msg']}; "
            f"`dvc repro -f {stage}` writes it anew"
        ) from error


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of a figure in pixels.

    Args:
        path: Its file.

    Raises:
        SpecflowError: If its file is missing or is no picture.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError as error:
        raise SpecflowError(f"there is no figure {path}; `dvc repro figures` draws it") from error
    except UnidentifiedImageError as error:
        raise SpecflowError(
            f"{path} is no picture; `dvc repro -f figures` draws it anew"
        ) from error
