"""Problem sections of params.yaml: what is learned, and how the loss is made."""

from typing import Literal

from specflow.params.base import Section


class ClassificationParams(Section):
    """Cross-entropy of one class for each sample; of a sequence, of the token that follows it."""

    kind: Literal["classification"]


ProblemParams = ClassificationParams
