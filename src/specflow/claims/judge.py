"""From tables to the scorecard."""

from specflow.claims.claim import Claim, TwoThresholds
from specflow.claims.evidence import Evidence, GrokkingRoles
from specflow.claims.registry import CLAIMS
from specflow.claims.scorecard import JudgedClaim, Scorecard
from specflow.claims.section import JudgeSettings
from specflow.claims.verdict import find
from specflow.frames import Tables


def judge(tables: Tables, settings: JudgeSettings) -> Scorecard:
    """Judge every claim by the tables alone.

    Args:
        tables: The tables.
        settings: How to judge, and what to compare.

    Returns:
        What was found, by the id of the claim.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    params = settings.claims
    evidence = Evidence(tables, settings.groups, params.grokking or GrokkingRoles())
    return {
        name: _judged(claim, getattr(params.thresholds, name), evidence, params.confidence)
        for name, claim in CLAIMS.items()
    }


def _judged(
    claim: Claim, threshold: float | TwoThresholds, evidence: Evidence, confidence: float
) -> JudgedClaim:
    subjects = {
        name: find(claim.measure(evidence.tables, one), claim.holds, threshold, confidence)
        for name, one in claim.subjects.of(evidence).items()
    }
    absent = {} if subjects else {"absent": f"params.yaml lacks {claim.subjects.needs}"}
    return JudgedClaim(
        claim=claim.text,
        statistic=claim.statistic,
        holds_when=_boundary(claim, threshold),
        subjects=subjects,
        **absent,
    )


def _boundary(claim: Claim, threshold: float | TwoThresholds) -> str:
    if isinstance(threshold, TwoThresholds):
        return f"{claim.holds} {threshold.difference:g} and score {claim.holds} {threshold.score:g}"
    return f"{claim.holds} {threshold:g}"
