"""Curves that a reader can zoom into, and values run by run: from the tables, as they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from specflow.frames import RANK, Tables, where
from specflow.report.numbers import number

_DIGITS = 4  # significant ones of every value
# Quantities of which curves are the mean over matrices or pairs, by their table.
_MEANS = {
    "spectra": (RANK, "normalized effective rank, mean over matrices"),
    "alignment": ("alignment_score", "alignment of neighbours, mean over pairs"),
}
# In the order, and so in the colours, of figures.
_RELATIONS = {"within": "within a trunk", "across": "across trunks"}


@dataclass(frozen=True, eq=False)
class Panel:
    """Curves of one quantity.

    Attributes:
        title: What it is.
        x: What it is drawn against: the index of the values.
        run: What a single run is called, before its number.
        values: A column a curve, whose name is the series and the number of the run.
    """

    title: str
    x: str
    run: str
    values: pd.DataFrame

    @property
    def content(self) -> dict[str, Any]:
        """What the page is given: points and curves, rounded, None where not defined."""
        return {
            "title": self.title,
            "x": self.x,
            "points": [int(point) for point in self.values.index],
            "curves": [
                {
                    "series": series,
                    "run": f"{self.run} {run}",
                    "values": [_rounded(value) for value in column],
                }
                for (series, run), column in self.values.items()
            ],
        }

    @property
    def by_run(self) -> pd.DataFrame:
        """The last value of every curve: a row a run, whose columns name series and quantity."""
        last = self.values.ffill().iloc[-1].unstack("series")
        quantity = self.title.partition(",")[0]
        return last.rename(columns=lambda series: f"{series} {quantity}".strip()).rename(
            index=lambda run: f"{self.run} {run}"
        )


def panels_of(group: str, name: str, tables: Tables, source: str | None = None) -> list[Panel]:
    """Return the curves of an experiment, a ticket, a connection or checkpoints; else none.

    `source` is the experiment that a ticket starts from.

    Raises:
        SpecflowError: If a table is missing or broken.
    """
    match group:
        case "experiments":
            history = where(tables["history"], experiment=name)
            return [*_history(tables, name, history), *_spectral(tables, name)]
        case "tickets":
            return _history(tables, source, where(tables["ticket_history"], ticket=name))
        case "connections":
            return _barriers(where(tables["barriers"], connection=name))
        case "checkpoints":
            return [one for one in _spectral(tables, name) if len(one.values) > 1]
        case _:
            return []


def values_by_run(group: str, panels: Sequence[Panel]) -> pd.DataFrame | None:
    """Return what single runs came to, as text: barriers of every split, else final values."""
    if not panels or group == "checkpoints":
        return None
    if group == "connections":
        (barriers,) = panels
        values = barriers.values.T
        names = [f"{series}, {barriers.run} {run}" for series, run in values.index]
        values = values.set_axis(names).rename(columns=lambda step: f"split {step}")
    else:
        values = pd.concat([panel.by_run for panel in panels], axis=1)
    return values.map(number)


def _history(tables: Tables, experiment: str | None, rows: pd.DataFrame) -> list[Panel]:
    """Return the metrics that figures show of an experiment, by what these call them."""
    shown = where(tables["metrics"], experiment=experiment, metric=[*rows["metric"]])
    return [
        _panel(label, where(rows, metric=metric), "value", "split")
        for metric, label in zip(shown["metric"], shown["label"], strict=True)
    ]


def _spectral(tables: Tables, name: str) -> list[Panel]:
    panels = []
    for table, (column, title) in _MEANS.items():
        rows = where(tables[table], experiment=name)
        if column in rows and rows[column].notna().any():
            panels.append(_mean(title, rows, column))
    return panels


def _mean(title: str, rows: pd.DataFrame, column: str) -> Panel:
    """Return the mean over matrices or pairs at every step, of always the same ones.

    These are all that are defined at some step; where one of them is not, neither is the mean.
    """
    key = "matrix" if "matrix" in rows else "pair"
    cells = rows.pivot_table(index=["seed", "step"], columns=key, values=column, dropna=False)
    means = cells.dropna(axis=1, how="all").mean(axis=1, skipna=False).unstack("seed")
    values = means.set_axis(
        pd.MultiIndex.from_product([[""], means], names=["series", "run"]), axis=1
    )
    partly = f"{title}, where all are defined" if means.isna().any(axis=None) else title
    return Panel(partly, "step", "seed", values)


def _barriers(rows: pd.DataFrame) -> list[Panel]:
    """Return the barrier of the full model by the step of the split; not of perturbed branches."""
    which = {"split": "validation", "metric": "loss", "keep": "full"}
    full = where(rows, relation=list(_RELATIONS), **which)
    if full.empty:
        return []
    ordered = pd.CategoricalDtype([*_RELATIONS.values()], ordered=True)
    named = full.assign(series=full["relation"].map(_RELATIONS).astype(ordered))
    title = "barrier, validation loss"
    return [_panel(title, named, "barrier", x="split_step", run="trunks")]


def _panel(
    title: str,
    rows: pd.DataFrame,
    column: str,
    series: str = "series",
    x: str = "step",
    run: str = "seed",
) -> Panel:
    """Return the curves of a column: the mean by x, of each series and run."""
    values = rows.pivot_table(index=x, columns=[series, run], values=column, observed=True)
    values.columns = values.columns.set_names(["series", "run"])
    return Panel(title, x.replace("_", " "), run, values)


def _rounded(value: float) -> float | None:
    return None if pd.isna(value) else float(f"{value:.{_DIGITS}g}")
