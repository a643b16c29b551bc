"""The small file of metrics: what matters most of every entry, and how claims fare."""

from specflow.claims.metrics import headline_metrics
from specflow.claims.scorecard import Finding, JudgedClaim


def of(mean):
    return {"mean": mean, "std": 0.5}


def judged(**verdicts):
    findings = {
        name: Finding(value=1, low=0, high=2, num_units=3, unit="seeds", verdict=verdict)
        for name, verdict in verdicts.items()
    }
    return JudgedClaim(claim="", statistic="", holds_when="", paper="", subjects=findings)


def test_numbers_are_on_one_level_means_alone_and_of_a_connection_those_of_its_last_split():
    summary = {
        "experiments": {
            "digits": {
                "train/error": of(0.0),
                "validation/error": of(0.25),
                "validation/loss": of(1.5),
                "normalized_effective_rank": of(0.5),
                "pruned": {"top_0.5": {"validation/error": of(0.75)}},
            },
            "images": {"validation/loss": of(0.125), "normalized_effective_rank": of(None)},
        },
        "connections": {
            "digits": {
                f"{relation}split_{step}": {
                    "validation/loss_barrier": of(barrier),
                    "agreement_score": of(1 - barrier),
                }
                for relation, step, barrier in [("", 0, 0.5), ("", 5, 0.25), ("across_", 5, 1.0)]
            }
        },
        "checkpoints": {"public": {"flagged_steps": of(2.0)}},
    }
    scorecard = {
        "rank_falls": judged(digits="holds", images="undecided"),
        "absent": judged(),
    }
    assert headline_metrics(summary, scorecard) == {
        "experiments.digits.validation/error": 0.25,
        "experiments.digits.normalized_effective_rank": 0.5,
        "experiments.images.validation/loss": 0.125,
        "connections.digits.validation/loss_barrier": 0.25,
        "connections.digits.agreement_score": 0.75,
        "checkpoints.public.flagged_steps": 2.0,
        "holds.rank_falls": 1,
        "holds.absent": 0,
        "verdicts.holds": 1,
        "verdicts.does not hold": 0,
        "verdicts.undecided": 1,
    }
