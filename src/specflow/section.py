"""What every section of params.yaml has in common: strict, frozen models, numbers with a range."""

import importlib
from collections.abc import Mapping
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema


class Section(BaseModel):
    """A part of params.yaml: unknown keys, text for numbers, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class KindSection(Section):
    """A section that comes in kinds, each in a file of its own beside the code that it decides.

    A kind is a module `<package>/<kind>.py` that defines a subclass with `kind: Literal["<kind>"]`.
    Reading a section imports that file alone, so that no other one can change what it does.

    Attributes:
        package: Name of the package whose modules are the kinds; set by the base class of each.
        kind: Name of the kind, that of its module.
    """

    package: ClassVar[str]
    kind: str

    @classmethod
    @cache
    def kinds(cls) -> tuple[str, ...]:
        """Return the names of all kinds in alphabetical order; none of their files is imported."""
        folder = Path(next(iter(importlib.import_module(cls.package).__path__)))
        files = sorted(folder.glob("*.py"))
        return tuple(f.stem for f in files if f'kind: Literal["{f.stem}"]' in f.read_text("utf-8"))

    @classmethod
    @cache
    def of_kind(cls, kind: str) -> type[Self]:
        """Return the section class of one of `kinds`; imports its file."""
        module = importlib.import_module(f"{cls.package}.{kind}")
        return next(
            found
            for found in vars(module).values()
            if isinstance(found, type)
            and issubclass(found, cls)
            and get_args(found.model_fields["kind"].annotation) == (kind,)
        )

    @classmethod
    def of_data(cls, data: Any) -> type[Self] | None:
        """Return the section class that data name by their `kind`, None if they name none."""
        kind = data.get("kind") if isinstance(data, Mapping) else None
        return cls.of_kind(kind) if isinstance(kind, str) and kind in cls.kinds() else None


class ByKind:
    """Annotation of a field whose type is the base class of kinds: validates by the kind named."""

    def __get_pydantic_core_schema__(
        self, source: type[KindSection], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def validate(value: Any) -> KindSection:
            if isinstance(value, source):
                return value
            if not isinstance(value, Mapping):
                raise PydanticKnownError("model_attributes_type")
            if "kind" not in value:
                raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
            found = source.of_data(value)
            if found is None:
                expected = ", ".join(repr(kind) for kind in source.kinds())
                context = {"discriminator": "'kind'", "tag": str(value["kind"])}
                raise PydanticKnownError("union_tag_invalid", context | {"expected_tags": expected})
            return found.model_validate(value)

        self._source = source
        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda section, info: section.model_dump(mode=info.mode), info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        union: Any = reduce(or_, map(self._source.of_kind, self._source.kinds()))
        return handler(TypeAdapter(Annotated[union, Field(discriminator="kind")]).core_schema)


_Values = TypeVar("_Values", bound=tuple[float, ...])


def ascending(values: _Values) -> _Values:
    """Return values that ascend strictly.

    Raises:
        ValueError: If one repeats or is less than the one before it.
    """
    if list(values) != sorted(set(values)):
        raise ValueError("expected numbers in ascending order, each once")
    return values


# Upper bounds are far beyond what can be computed: they end what a slip of the keyboard begins.
Count = Annotated[int, Field(gt=0, le=10**9)]
Index = Annotated[int, Field(ge=0, le=10**12)]
Width = Annotated[int, Field(gt=0, le=2**20)]  # of a layer
Depth = Annotated[int, Field(gt=0, le=1000)]  # number of layers
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
# YAML has lists only; strict mode would refuse one where a tuple is declared.
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(ascending)]
Steps = Annotated[tuple[Index, ...], Field(strict=False), AfterValidator(ascending)]
