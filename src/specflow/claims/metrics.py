"""The small file of metrics by which DVC compares runs: what matters most, and the verdicts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from specflow.claims.scorecard import Scorecard, Verdict
from specflow.frames import RANK

# Of what a summary has of each entry; of a connection, of its last split.
_CHOSEN = ("validation/error", "validation/loss_barrier", "agreement_score", RANK, "flagged_steps")
_LOSS = "validation/loss"  # where there is no error


def headline_metrics(summary: Mapping[str, Any], scorecard: Scorecard) -> dict[str, float | int]:
    """Return about a hundred numbers by name, on one level.

    Args:
        summary: Nested by kind, name of the entry, quantity, and mean; see
            `specflow.studies.collect`.
        scorecard: All judged claims.

    Returns:
        "<kind>.<name>.<quantity>": mean, where it is defined; "holds.<claim>": of how many subjects
        each claim holds; "verdicts.<verdict>": how many there are of all claims.
    """
    found: dict[str, float | int] = {
        f"{kind}.{name}.{quantity}": value
        for kind, entries in summary.items()
        for name, entry in entries.items()
        for quantity, value in _chosen(entry)
    }
    found |= {f"holds.{name}": claim.counts["holds"] for name, claim in scorecard.items()}
    verdicts = sum((Counter(claim.counts) for claim in scorecard.values()), Counter())
    return found | {f"verdicts.{verdict}": verdicts[verdict] for verdict in get_args(Verdict)}


def _chosen(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    splits = [group for name, group in entry.items() if name.startswith("split_")]
    own = splits[-1] if splits else entry
    loss = () if "validation/error" in own else (_LOSS,)
    for quantity in (*loss, *_CHOSEN):
        if quantity in own and own[quantity]["mean"] is not None:
            yield quantity, own[quantity]["mean"]
