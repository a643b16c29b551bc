"""What of a network is analysed and what is not, in words for a terminal and a page."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from specflow.errors import SpecflowError, number_of, some_of
from specflow.wiring.reasons import (
    ADAPTER,
    EXCLUDED,
    LORA,
    NO_ENTRIES,
    NOT_INCLUDED,
    QUANTIZED,
)
from specflow.wiring.tensors import EMPTY, TensorInfo
from specflow.wiring.wiring import Matrix

MERGED = "give its base with it, as one network: merged (merge_and_unload of peft)"
LEFT_OUT = "left out"  # what sentences on tensors that are not analysed begin with
# What may be done about reasons that hold any of these words, where nothing else is left.
_ADVICE = {
    (LORA, ADAPTER): (f"what such an adapter adds is not told by its file alone; {MERGED}"),
    (QUANTIZED,): "give the weights as they were before they were quantized",
    (NO_ENTRIES,): EMPTY,
    (NOT_INCLUDED, EXCLUDED): "give other patterns to include and exclude",
}


class NoMatrixError(SpecflowError):
    """There is nothing that has a spectrum."""

    def __init__(self, left_out: Mapping[str, str]) -> None:
        """Say what was left out, and what may be done about it.

        Args:
            left_out: Why each entry is no matrix, by its name.
        """
        every = set(left_out.values())
        ways = [
            advice
            for words, advice in _ADVICE.items()
            if any(word in reason for word in words for reason in every)
        ]
        said = f"no matrix is left of {number_of(len(left_out), 'tensor')}"
        reasons = [said, *counted_by_reason(LEFT_OUT, left_out), *ways]
        super().__init__("; ".join(reasons if ways else [*reasons, "expected one or more"]))


def coverage(
    tensors: Mapping[str, TensorInfo],
    matrices: Sequence[Matrix],
    skipped: Mapping[str, str],
    unreadable: Mapping[str, str],
) -> list[str]:
    """Return what share of the parameters is analysed, and what is left out, counted by reason.

    Args:
        tensors: Shape and dtype of every tensor by name.
        matrices: What is analysed.
        skipped: Why a tensor, or a part of one, is not, by its name.
        unreadable: Why entries beside them are no tensors, by name.
    """
    total = sum(math.prod(info.shape) for info in tensors.values())
    analysed = sum(m.view.rows * (m.view.columns // m.view.groups) for m in matrices)
    of_all = f"{analysed:,} of {total:,} parameters ({_percent(analysed, total)})"
    if packed := sum(reason.startswith(QUANTIZED) for reason in unreadable.values()):
        of_all += f"; parameters in {packed} quantized tensors are not counted"
    found = [f"analysed: {number_of(len(matrices), 'matrix', 'matrices')}, {of_all}"]
    return [*found, *counted_by_reason(LEFT_OUT, skipped)]


def how_read(composed: Mapping[str, str], unreadable: Mapping[str, str]) -> list[str]:
    """Return how tensors are made of others and which entries are none, a sentence a reason.

    Args:
        composed: How a tensor is made, by its name.
        unreadable: Why an entry is no tensor that a layer applies, by its name.
    """
    return [*counted_by_reason("read as", composed), *counted_by_reason(LEFT_OUT, unreadable)]


def counted_by_reason(what: str, reasons: Mapping[str, str]) -> list[str]:
    """Return a sentence for each reason, with how many tensors have it, the most frequent first.

    Args:
        what: What is done with them: "left out".
        reasons: Why, by the name of each.
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(_kind(reason), []).append(name)
    counts = Counter({reason: len(names) for reason, names in by_reason.items()})
    return [
        f"{what}: {count} x {reason}: {some_of(by_reason[reason], 2)}"
        for reason, count in counts.most_common()
    ]


def _percent(part: int, whole: int) -> str:
    """Return a share in percent; only the whole is 100%."""
    share = 100 * part / max(whole, 1)
    return f"{share:.1f}%" if share < 99.95 or part == whole else "99.9%"


def _kind(reason: str) -> str:
    """Return a reason without what differs from tensor to tensor."""
    return re.sub(r"[ :]+(of )?(shape )?\(.*", "", reason)
