"""Problem sections of params.yaml: what is learned, and how the loss is made."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from specflow.section import Fraction, Positive, Section


class _Problem(Section):
    is_generative: ClassVar[bool] = False  # whether its networks can be sampled


class ClassificationParams(_Problem):
    """Cross-entropy of one class for each sample; of a sequence, of the token that follows it."""

    kind: Literal["classification"]


class DiffusionParams(_Problem):
    """Prediction of the noise in noised images (Ho et al. 2020), mean squared error.

    Attributes:
        num_steps: Steps from an image to noise.
        beta_start: Variance of the noise added at a step, at the start: the floor of a sigmoid.
        beta_end: The same at the end: the ceiling of the sigmoid.
        sigmoid_range: The sigmoid is taken from minus this to plus this.
    """

    kind: Literal["diffusion"]
    num_steps: Annotated[int, Field(ge=2)]
    beta_start: Fraction
    beta_end: Fraction
    sigmoid_range: Positive
    is_generative: ClassVar[bool] = True

    @model_validator(mode="after")
    def _noise_grows(self) -> "DiffusionParams":
        if self.beta_start >= self.beta_end:
            raise ValueError(
                f"beta_start = {self.beta_start} is not below beta_end = "
                f"{self.beta_end}; expected noise that grows"
            )
        return self


class LanguageModellingParams(_Problem):
    """Cross-entropy of the next token at every position of a window of text."""

    kind: Literal["language_modelling"]


class CtcParams(_Problem):
    """Transcripts of utterances, by connectionist temporal classification (Graves et al. 2006)."""

    kind: Literal["ctc"]


ProblemParams = Annotated[
    ClassificationParams | DiffusionParams | LanguageModellingParams | CtcParams,
    Field(discriminator="kind"),
]
