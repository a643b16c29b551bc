"""The claims section of params.yaml: which runs play a part, and where claims begin to hold."""

from typing import Any

from pydantic import Field, create_model

from specflow.claims.claim import all_claims
from specflow.section import Fraction, Name, Section
from specflow.studies.comparisons import Groups

_BOUNDARIES: dict[str, Any] = {
    name: (one.threshold, Field(description=f"{one.text}: {one.statistic} {one.holds} this"))
    for name, one in all_claims().items()
}
_Boundaries: Any = create_model("_Boundaries", __base__=Section, **_BOUNDARIES)


class Thresholds(_Boundaries):
    """The boundary of every claim's statistic, by the id of the claim."""


class GrokkingRoles(Section):
    """The experiments that the claims on grokking compare; None where there is no such run.

    Attributes:
        no_decay: Few data, no weight decay.
        decay: The same with weight decay.
        most_data: The same as no_decay with most of the data.
    """

    no_decay: Name | None = None
    decay: Name | None = None
    most_data: Name | None = None


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

    @property
    def roles(self) -> GrokkingRoles:
        """Who is compared in the claims on grokking, by its role."""
        return self.grokking or GrokkingRoles()

    def problems(self, experiments: set[str]) -> list[str]:
        """Return which of the experiments named here cannot be compared.

        Args:
            experiments: Names of all experiments, faulty ones included.

        Returns:
            Lines "path: got value; expected ...".
        """
        known = ", ".join(sorted(experiments)) or "none: there are none"
        another = "another experiment than no_decay, with which it is compared"
        found = []
        for role, name in self.roles:
            expected = []
            if name is not None and name not in experiments:
                expected.append(f"one of {known}")
            if name is not None and role != "no_decay" and name == self.roles.no_decay:
                expected.append(another)
            path = f"claims.grokking.{role}"
            found += [f"{path}: got {name!r}; expected {one}" for one in expected]
        return found


class JudgeSettings(Section):
    """What the stage `judge` is given.

    Attributes:
        claims: Thresholds, confidence, and who is compared in the claims on grokking.
        groups: Which experiments are to be compared beside these.
    """

    claims: ClaimsParams
    groups: Groups
