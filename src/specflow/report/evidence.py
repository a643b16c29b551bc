"""Which figures bear on which claim, and what figures and claims are about."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["experiments", "connections", "tickets", "samples", "suites"]
GROUPS: tuple[Group, ...] = ("experiments", "connections", "tickets", "samples", "suites")


@dataclass(frozen=True)
class Evidence:
    """What belongs to a claim.

    Attributes:
        of: What the claim's subjects are, where a name has more than one meaning.
        kinds: Kinds of figures that show it.
    """

    of: Group = "experiments"
    kinds: tuple[str, ...] = ()


EVIDENCE = {
    "rank_falls": Evidence("experiments", ("effective_rank",)),
    "unequal_growth": Evidence("experiments", ("problems_spectra", "singular_values")),
    "top_half_suffices": Evidence("experiments", ("problems_pruning", "losses")),
    "top_settles_early": Evidence("experiments", ("problems_agreement", "agreement")),
    "alignment_weak": Evidence("experiments", ("problems_alignment", "alignment")),
    "grokking_is_low_rank": Evidence("experiments", ("grokking", "effective_rank")),
    "grokking_coincides": Evidence("experiments", ("grokking", "losses", "effective_rank")),
    "more_data_low_rank": Evidence("experiments", ("grokking", "effective_rank")),
    "decay_lowers_rank": Evidence("experiments", ("weight_decay",)),
    "memorization_is_high_rank": Evidence("experiments", ("labels", "errors")),
    "memorization_unaligned": Evidence("experiments", ("labels",)),
    "tickets_keep_top": Evidence("experiments", ("tickets",)),
    "late_split_connected": Evidence("connections", ("barriers", "interpolation")),
    "connected_share_directions": Evidence("connections", ("end_agreement", "barriers")),
    "trunks_unconnected": Evidence("connections", ("across",)),
    "trunks_share_nothing": Evidence("connections", ("across",)),
    "perturbation_breaks": Evidence("connections", ("perturbation",)),
}

_OF_CONNECTIONS = {"barriers", "interpolation", "end_agreement", "across", "perturbation"}


def order_of_groups(first: Group) -> list[Group]:
    """Return all groups, one of them first: the order in which a name is looked up."""
    return [first, *(group for group in GROUPS if group != first)]


def group_of_kind(kind: str) -> Group:
    """Return what the subjects of a kind of figure are."""
    if kind in _OF_CONNECTIONS:
        return "connections"
    if kind.startswith("suite_"):
        return "suites"
    return "samples" if kind == "samples" else "experiments"
