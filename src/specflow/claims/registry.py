"""Every claim: its words, its statistic, on which side of its threshold it holds, its subjects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specflow.claims import comparisons, connections, runs, tickets
from specflow.claims.measured import Measured
from specflow.claims.verdict import Side
from specflow.params.claims import GrokkingRoles
from specflow.params.groups import Groups
from specflow.tables.reading import Tables


@dataclass(frozen=True)
class Evidence:
    """What claims are judged by.

    Attributes:
        tables: The tables.
        groups: Which experiments differ in weight decay, or in labels, alone.
        roles: Which experiments the claims on grokking compare.
    """

    tables: Tables
    groups: Groups
    roles: GrokkingRoles

    @property
    def experiments(self) -> list[str]:
        """All experiments but those that only stand beside the base of a series."""
        names = self.tables["history"].distinct("experiment")
        return [name for name in names if name not in self.groups.variants]


@dataclass(frozen=True)
class Claim:
    """A claim and how it is judged; its threshold is in params.yaml.

    Attributes:
        text: The claim in words.
        statistic: What is computed, and over what units.
        side: On which side of the threshold it holds.
        needs: What params.yaml must declare for the claim to have a subject.
        measure: Returns the statistic of every subject, by name.
    """

    text: str
    statistic: str
    side: Side
    needs: str
    measure: Callable[[Evidence], Mapping[str, Measured]]


_Subjects = Callable[[Evidence], Mapping[str, Measured]]
_RUN = "an experiment"


def _each_run(statistic: Callable[[Tables, str], Measured]) -> _Subjects:
    return lambda seen: {name: statistic(seen.tables, name) for name in seen.experiments}


def _each_series(seen: Evidence) -> Mapping[str, Measured]:
    series = seen.groups.weight_decay
    return {name: comparisons.rank_with_decay(seen.tables, one) for name, one in series.items()}


def _each_label_pair(statistic: Callable[[Tables, str, str], Measured]) -> _Subjects:
    return lambda seen: {
        name: statistic(seen.tables, pair.random_labels, pair.true_labels)
        for name, pair in seen.groups.labels.items()
    }


def _each_ticket_pair(seen: Evidence) -> Mapping[str, Measured]:
    pairs = tickets.ticket_pairs(seen.tables)
    return {name: tickets.tickets_keep_top(seen.tables, pair) for name, pair in pairs.items()}


def _each_connection(relation: str, statistic: Callable[[Tables, str], Measured]) -> _Subjects:
    return lambda seen: {
        name: statistic(seen.tables, name)
        for name in connections.connections_with(seen.tables, relation)
    }


def _against_no_decay(role: str) -> _Subjects:
    """Compare the experiment in a role with the one without weight decay."""

    def subjects(seen: Evidence) -> Mapping[str, Measured]:
        name, no_decay = getattr(seen.roles, role), seen.roles.no_decay
        if name is None or no_decay is None:
            return {}
        return {name: comparisons.rank_difference(seen.tables, name, no_decay)}

    return subjects


def _grokking_run(seen: Evidence) -> Mapping[str, Measured]:
    name = seen.roles.decay
    return {} if name is None else {name: comparisons.rank_with_loss(seen.tables, name)}


CLAIMS: dict[str, Claim] = {
    "rank_falls": Claim(
        text="effective rank falls nearly everywhere",
        statistic="share of matrices whose normalized effective rank is lower at the end than at "
        "step 0",
        side=">",
        needs=_RUN,
        measure=_each_run(runs.rank_falls),
    ),
    "unequal_growth": Claim(
        text="top singular values grow disproportionately",
        statistic="share of matrices with s_1(T)/s_1(0) > median_i s_i(T)/s_i(0)",
        side=">",
        needs=_RUN,
        measure=_each_run(runs.unequal_growth),
    ),
    "top_half_suffices": Claim(
        text="the top half of every spectrum carries the function",
        statistic="(L_top - L_full) / (L_bottom - L_full), final validation loss",
        side="<",
        needs=_RUN,
        measure=_each_run(runs.top_half_suffices),
    ),
    "top_settles_early": Claim(
        text="top directions settle before the end",
        statistic="agreement score with the final checkpoint at half of training (ranks 1 to 10), "
        "minus that of ranks 11 to 20",
        side=">",
        needs=_RUN,
        measure=_each_run(runs.top_settles_early),
    ),
    "alignment_weak": Claim(
        text="neighbours align only weakly",
        statistic="mean alignment score over pairs at the end",
        side="<",
        needs=_RUN,
        measure=_each_run(runs.alignment_weak),
    ),
    "grokking_is_low_rank": Claim(
        text="generalization by grokking comes with a fall of rank",
        statistic="final mean normalized effective rank, with weight decay minus without",
        side="<",
        needs="experiments in claims.grokking.decay and claims.grokking.no_decay",
        measure=_against_no_decay("decay"),
    ),
    "grokking_coincides": Claim(
        text="grokking and the fall of rank happen at the same time",
        statistic="rank correlation over checkpoints of validation loss and mean normalized "
        "effective rank, after training accuracy reaches 99%",
        side=">",
        needs="an experiment in claims.grokking.decay",
        measure=_grokking_run,
    ),
    "more_data_low_rank": Claim(
        text="with 90% of the data, low rank without weight decay",
        statistic="final mean normalized effective rank, with most data minus with few, no weight "
        "decay",
        side="<",
        needs="experiments in claims.grokking.most_data and claims.grokking.no_decay",
        measure=_against_no_decay("most_data"),
    ),
    "decay_lowers_rank": Claim(
        text="more weight decay, lower rank",
        statistic="rank correlation of weight decay and final mean normalized effective rank",
        side="<",
        needs="three experiments that differ only in weight decay",
        measure=_each_series,
    ),
    "memorization_is_high_rank": Claim(
        text="random labels end with higher rank",
        statistic="final mean normalized effective rank, random minus true labels",
        side=">",
        needs="two experiments that differ only in permuted_labels",
        measure=_each_label_pair(comparisons.rank_difference),
    ),
    "memorization_unaligned": Claim(
        text="random labels end with weaker alignment of middle layers",
        statistic="final alignment score, mean over all pairs but the first and the last, random "
        "minus true labels",
        side="<",
        needs="two experiments that differ only in permuted_labels",
        measure=_each_label_pair(comparisons.middle_alignment_difference),
    ),
    "tickets_keep_top": Claim(
        text="magnitude masks keep the top directions",
        statistic="agreement score of masked and unmasked final weights, magnitude minus random "
        "mask",
        side=">",
        needs="a magnitude and a random ticket of one experiment, density and rewind step",
        measure=_each_ticket_pair,
    ),
    "late_split_connected": Claim(
        text="late branches are connected",
        statistic="barrier at the last split over barrier at split 0, validation loss",
        side="<",
        needs="a connection",
        measure=_each_connection("within", connections.late_barrier_ratio),
    ),
    "connected_share_directions": Claim(
        text="connected branches share top directions",
        statistic="rank correlation over split points of barrier and agreement score of the ends",
        side="<",
        needs="a connection",
        measure=_each_connection("within", connections.barrier_with_agreement),
    ),
    "trunks_unconnected": Claim(
        text="different trunks are not connected",
        statistic="barrier across trunks at the last split minus that within a trunk, validation "
        "loss",
        side=">",
        needs="a connection across trunks",
        measure=_each_connection("across", connections.barrier_across),
    ),
    "trunks_share_nothing": Claim(
        text="different trunks share no directions",
        statistic="agreement score of ends across trunks over its null level, mean over splits",
        side="<",
        needs="a connection across trunks",
        measure=_each_connection("across", connections.agreement_across),
    ),
    "perturbation_breaks": Claim(
        text="breaking directions breaks connectivity",
        statistic="rank correlation over scales of perturbation of agreement score of the ends and "
        "barrier",
        side="<",
        needs="a connection with perturbations",
        measure=_each_connection("perturbed", connections.barrier_with_agreement_perturbed),
    ),
}
