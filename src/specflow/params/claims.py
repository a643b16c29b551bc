"""The claims section of params.yaml: which runs play a part, and where claims begin to hold."""

from typing import Annotated

from pydantic import Field

from specflow.section import Fraction, Name, Positive, Section

Correlation = Annotated[float, Field(ge=-1, le=1)]


class SettlingThresholds(Section):
    """Boundaries of top_settles_early, which has two conditions.

    Attributes:
        difference: Of the agreement score of ranks 1 to 10, minus that of ranks 11 to 20.
        score: Of the agreement score of ranks 1 to 10.
    """

    difference: float
    score: Fraction


class Thresholds(Section):
    """The boundary of every claim's statistic; the registry of claims says on which side it holds.

    One attribute a claim, by its id.
    """

    rank_falls: Fraction
    unequal_growth: Fraction
    top_half_suffices: Positive
    top_settles_early: SettlingThresholds
    alignment_weak: Fraction
    grokking_is_low_rank: float
    grokking_coincides: Correlation
    more_data_low_rank: float
    decay_lowers_rank: Correlation
    memorization_is_high_rank: float
    memorization_unaligned: float
    tickets_keep_top: float
    late_split_connected: Positive
    connected_share_directions: Correlation
    trunks_unconnected: float
    trunks_share_nothing: Positive
    perturbation_breaks: Correlation


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
