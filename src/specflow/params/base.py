"""What every section of params.yaml has in common: strict, frozen models and ranged numbers."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of params.yaml: unknown keys, text for numbers, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_Values = TypeVar("_Values", bound=tuple[float, ...])


def ascending(values: _Values) -> _Values:
    """Return values if they ascend strictly.

    Args:
        values: Numbers.

    Returns:
        The same.

    Raises:
        ValueError: If one repeats or is less than the one before it.
    """
    if list(values) != sorted(set(values)):
        raise ValueError("expected numbers in ascending order, each once")
    return values


Count = Annotated[int, Field(gt=0)]
Index = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# YAML has lists only; strict mode would refuse one where a tuple is declared.
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(ascending)]
Steps = Annotated[tuple[Index, ...], Field(strict=False), AfterValidator(ascending)]
