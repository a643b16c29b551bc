"""The scorecard as a table in Markdown."""

from specflow.claims.scorecard import Finding, JudgedClaim, Scorecard, Verdict

MARKS: dict[Verdict, str] = {"holds": "✓", "does not hold": "✗", "undecided": "?"}
_HEADER = "| claim | statistic (units) | holds when | verdicts | subject: value [interval] |"


def markdown(scorecard: Scorecard) -> str:
    """Return a scorecard as a Markdown table, a row a claim.

    Args:
        scorecard: The rows by the id of the claim.

    Returns:
        Lines, the last one with its end: of every claim how many subjects it holds for (✓), does
        not hold for (✗) and is undecided for (?), then the subjects one by one.
    """
    lines = [_HEADER, "|" + " --- |" * 5, *(_row(row) for row in scorecard.values())]
    return "\n".join(lines) + "\n"


def _row(row: JudgedClaim) -> str:
    findings = row.subjects
    counts = {
        mark: sum(finding.verdict == verdict for finding in findings.values())
        for verdict, mark in MARKS.items()
    }
    verdicts = ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)
    units = " or ".join(dict.fromkeys(finding.unit for finding in findings.values()))
    cells = [
        row.claim,
        f"{row.statistic} ({units})" if units else row.statistic,
        row.holds_when,
        verdicts or "none",
        "<br>".join(_cell(*item) for item in findings.items()) or row.absent or "",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(subject: str, finding: Finding) -> str:
    parts = [f"{subject}:", _number(finding.value)]
    if finding.low is not None:
        parts.append(f"[{_number(finding.low)}, {_number(finding.high)}]")
    if finding.over_null is not None:
        parts.append(f"({_number(finding.over_null)} x null)")
    if finding.score is not None:
        parts.append(f"(score {_number(finding.score.value)})")
    return " ".join([*parts, MARKS[finding.verdict]])


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3g}"
