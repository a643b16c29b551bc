"""Suite sections of params.yaml: checkpoints made elsewhere, and how their weights are read."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from specflow.params.tasks import SpectraParams
from specflow.section import Count, Index, Section

LayoutName = Literal["auto", "gpt_neox", "gpt2", "llama", "torch", "none"]
Side = Literal["left", "right"]
Text = Annotated[str, Field(min_length=1)]
Patterns = Annotated[tuple[Text, ...], Field(strict=False)]


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from error
    if groups != 1:
        raise ValueError(f"expected one group for the step, as in 'step(\\d+)'; there are {groups}")
    return pattern


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("expected names, each once")
    return names


def _as_section(file: Any) -> Any:
    return {"path": file} if isinstance(file, str) else file


class SuiteFileParams(Section):
    """Checkpoints; in YAML a path or pattern alone will do.

    Attributes:
        path: A file, the folder of a checkpoint, or a glob pattern of these.
        step: Its step; of a trajectory, the kept step that is meant; null tells the step by the
            name, and means all kept steps of a trajectory.
    """

    path: Text
    step: Index | None = None


class FusionParams(Section):
    """How a tensor that holds several matrices is cut into them.

    Attributes:
        match: Pattern of the matrices that are cut, with `*` for any text.
        split: Names of the parts in their order; null makes a matrix, named by its number from 0,
            of every entry of a dimension that it then has no more (experts).
        axis: The dimension of the tensor, as it lies in the file, along which it is cut.
        shares: Relative sizes of the parts; null means that all are of one size.
        interleaved_by: "heads" if the dimension is first cut in `num_heads` heads and each of them
            holds all parts (GPT-NeoX); null if the parts follow each other.
    """

    match: Text
    split: (
        Annotated[
            tuple[Annotated[str, Field(pattern=r"^\w+$")], ...],
            Field(strict=False, min_length=2),
            AfterValidator(_distinct),
        ]
        | None
    )
    axis: Annotated[int, Field(ge=0, le=4)] = 0
    shares: Annotated[tuple[Count, ...], Field(strict=False)] | None = None
    interleaved_by: Literal["heads"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "FusionParams":
        if self.split is None and (self.shares or self.interleaved_by):
            raise ValueError("split is null; expected neither shares nor interleaved_by")
        if self.shares and self.split and len(self.shares) != len(self.split):
            raise ValueError(
                f"{len(self.shares)} shares of {len(self.split)} parts; expected one for each"
            )
        return self


class SuitePairParams(Section):
    """Neighbours by pattern: what each `*` stands for is the same in both names.

    Attributes:
        from_: Pattern of previous matrices, `from` in YAML.
        to: Pattern of the following ones, with as many `*`.
        from_side: "left" if outputs of the previous matrix meet; "right" for an embedding, whose
            rows are tokens.
        to_side: "right" if inputs of the following matrix meet; "left" for its outputs.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Text = Field(alias="from")
    to: Text
    from_side: Side = "left"
    to_side: Side = "right"

    @model_validator(mode="after")
    def _same_stars(self) -> "SuitePairParams":
        stars = self.from_.count("*"), self.to.count("*")
        if stars[0] != stars[1]:
            raise ValueError(f"from has {stars[0]} `*` and to has {stars[1]}; expected as many")
        return self


class SuiteParams(Section):
    """Checkpoints of one model that were made elsewhere.

    Attributes:
        files: Where the checkpoints are.
        step_from: Regular expression whose one group is the step, searched in each path; null
            means the one number in which the paths differ.
        key: Where the weights are in a PyTorch checkpoint, with dots ("state_dict"); null finds
            them under the usual keys.
        include: Patterns of tensors or matrices that are analysed.
        exclude: Patterns of those that are not.
        transposed: Patterns of tensors whose inputs come first: transposed convolutions, and
            matrices that are multiplied from the right.
        layout: Naming of the architecture; auto recognizes it.
        num_heads: Attention heads of a block; null where it is not known: queries are then not
            compared with keys, and what is interleaved by heads stays whole.
        fused: Further tensors that hold several matrices; a rule applies to what those before it
            made.
        pairs: Further neighbours.
        spectra: What is stored of every matrix at every step.
    """

    files: Annotated[
        tuple[Annotated[SuiteFileParams, BeforeValidator(_as_section)], ...],
        Field(strict=False, min_length=1),
    ]
    step_from: Annotated[Text, AfterValidator(_one_group)] | None = None
    key: Text | None = None
    include: Annotated[Patterns, Field(min_length=1)] = ("*",)
    exclude: Patterns = ()
    transposed: Patterns = ()
    layout: LayoutName = "auto"
    num_heads: Count | None = None
    fused: Annotated[tuple[FusionParams, ...], Field(strict=False)] = ()
    pairs: Annotated[tuple[SuitePairParams, ...], Field(strict=False)] = ()
    spectra: SpectraParams

    @model_validator(mode="after")
    def _heads_are_known(self) -> "SuiteParams":
        if self.num_heads is None and any(rule.interleaved_by for rule in self.fused):
            raise ValueError("num_heads is null; expected a number, fused is interleaved by heads")
        return self
