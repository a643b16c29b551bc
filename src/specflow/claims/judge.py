"""From tables to the scorecard."""

from pathlib import Path

from specflow.claims.registry import CLAIMS, Claim, Evidence
from specflow.claims.scorecard import JudgedClaim, Scorecard
from specflow.claims.verdict import find
from specflow.params.claims import ClaimsParams, GrokkingRoles, SettlingThresholds
from specflow.params.groups import Groups
from specflow.tables.reading import Tables


def judge(tables: Path, params: ClaimsParams, groups: Groups) -> Scorecard:
    """Judge every claim by the tables alone.

    Args:
        tables: The folder of the tables.
        params: Thresholds, confidence, and who is compared in the claims on grokking.
        groups: Which experiments are to be compared beside these.

    Returns:
        What was found, by the id of the claim.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    evidence = Evidence(Tables(tables), groups, params.grokking or GrokkingRoles())
    return {
        name: _judged(claim, getattr(params.thresholds, name), evidence, params.confidence)
        for name, claim in CLAIMS.items()
    }


def _judged(
    claim: Claim, threshold: float | SettlingThresholds, evidence: Evidence, confidence: float
) -> JudgedClaim:
    subjects = {
        name: find(measured, claim.side, threshold, confidence)
        for name, measured in claim.measure(evidence).items()
    }
    absent = {} if subjects else {"absent": f"params.yaml lacks {claim.needs}"}
    return JudgedClaim(
        claim=claim.text,
        statistic=claim.statistic,
        holds_when=_boundary(claim, threshold),
        subjects=subjects,
        **absent,
    )


def _boundary(claim: Claim, threshold: float | SettlingThresholds) -> str:
    if isinstance(threshold, SettlingThresholds):
        return f"{claim.side} {threshold.difference:g} and score {claim.side} {threshold.score:g}"
    return f"{claim.side} {threshold:g}"
