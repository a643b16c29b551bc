"""Baselines: `<metric>_baseline` is what a trivial predictor reaches on `<metric>`.

It does not depend on the network. So it stands in the history alone, not again for every pruning
and point of a line, and has no barrier.
"""

_SUFFIX = "_baseline"


def is_baseline(metric: str) -> bool:
    """Return whether a metric is the baseline of another one."""
    return metric.endswith(_SUFFIX)


def baseline_of(metric: str) -> str:
    """Return the name of the baseline of a metric."""
    return metric + _SUFFIX
