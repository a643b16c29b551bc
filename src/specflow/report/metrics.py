"""Nested metrics as small tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from specflow.report.numbers import spread
from specflow.report.sources import Metrics, Spread


@dataclass(frozen=True)
class MetricTable:
    """Means and standard deviations.

    Attributes:
        caption: What the rows have in common; may be empty.
        columns: Heads of the columns beside the first, which names the row.
        rows: Name of each row with its cells.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def tables_of(metrics: Metrics, caption: str = "") -> list[MetricTable]:
    """Return all quantities: a list of those at this level, a table or more for each group.

    Args:
        metrics: Quantities and groups of quantities.
        caption: What they have in common.

    Returns:
        Tables that together hold every quantity once. Groups that hold quantities alone are the
        rows of one table.
    """
    values = {name: node for name, node in metrics.root.items() if isinstance(node, Spread)}
    groups = {name: node for name, node in metrics.root.items() if isinstance(node, Metrics)}
    tables = []
    if values:
        rows = tuple((name, (spread(value),)) for name, value in values.items())
        tables.append(MetricTable(caption, ("mean ± std",), rows))
    if groups and all(_is_flat(group) for group in groups.values()):
        tables.append(_side_by_side(groups, caption))
    else:
        for name, group in groups.items():
            tables += tables_of(group, f"{caption} {name}".strip())
    return tables


def _is_flat(metrics: Metrics) -> bool:
    return all(isinstance(node, Spread) for node in metrics.root.values())


def _side_by_side(groups: Mapping[str, Metrics], caption: str) -> MetricTable:
    columns = tuple(dict.fromkeys(name for group in groups.values() for name in group.root))
    undefined = Spread(mean=None, std=None)
    rows = []
    for name, group in groups.items():
        nodes = (group.root.get(column, undefined) for column in columns)
        rows.append((name, tuple(spread(node) for node in nodes if isinstance(node, Spread))))
    return MetricTable(caption, columns, tuple(rows))
