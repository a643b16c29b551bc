"""The claims section of params.yaml: which runs play a part, and where claims begin to hold."""

from typing import Any

from pydantic import Field, create_model

from specflow.claims.evidence import GrokkingRoles
from specflow.claims.registry import CLAIMS
from specflow.section import Fraction, Section
from specflow.studies.comparisons import Groups

_BOUNDARIES: dict[str, Any] = {
    name: (one.threshold, Field(description=f"{one.text}: {one.statistic} {one.holds} this"))
    for name, one in CLAIMS.items()
}
_Boundaries: Any = create_model("_Boundaries", __base__=Section, **_BOUNDARIES)


class Thresholds(_Boundaries):
    """The boundary of every claim's statistic, by the id of the claim."""


class ClaimsParams(Section):
    """How claims are judged.

    Attributes:
        confidence: Of the intervals that verdicts are made from.
        thresholds: The boundaries.
        grokking: Who is compared in the claims on grokking; None means nobody.
    """

    confidence: Fraction
    thresholds: Thresholds
    grokking: GrokkingRoles | None = None

    def problems(self, experiments: set[str]) -> list[str]:
        """Return which of the experiments named here cannot be compared.

        Args:
            experiments: Names of all experiments, faulty ones included.

        Returns:
            Lines "path: got value; expected ...".
        """
        roles = self.grokking or GrokkingRoles()
        expected = ", ".join(sorted(experiments)) or "none: there are none"
        unknown = [
            f"claims.grokking.{role}: got {name!r}; expected one of {expected}"
            for role, name in roles
            if name is not None and name not in experiments
        ]
        with_itself = [
            f"claims.grokking.{role}: got {name!r}; "
            "expected another experiment than no_decay, with which it is compared"
            for role, name in roles
            if role != "no_decay" and name is not None and name == roles.no_decay
        ]
        return unknown + with_itself


class JudgeSettings(Section):
    """What the stage `judge` is given.

    Attributes:
        claims: Thresholds, confidence, and who is compared in the claims on grokking.
        groups: Which experiments are to be compared beside these.
    """

    claims: ClaimsParams
    groups: Groups
