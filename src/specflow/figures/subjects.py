"""What figures are about: experiments, connections, ..., and their rows of the tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

import pandas as pd

from specflow.figures.section import AxisParams, CheckpointsFigureParams, FiguresParams
from specflow.figures.style import plain, short_pair, shortened
from specflow.figures.timeline import Timeline
from specflow.frames import Tables, where
from specflow.studies.comparisons import Groups
from specflow.studies.shown import Key

# In the order in which a report shows their figures.
One = Literal["experiment", "connection", "ticket", "samples", "checkpoints", "comparison"]
Several = Literal["weight_decay", "labels", "project", "grokking", "problems"]
Of = Literal[One, Several]

MOST_LINES = 500  # three times as many as a small panel is pixels high


@dataclass(frozen=True)
class Subject:
    """What a figure is about, and how params.yaml wants it drawn.

    Attributes:
        name: Name of an experiment, a connection, ...; None means the whole project.
        group: What it is one of: experiments, connections, ..., or project.
        params: The figures section.
        axis: How its training time is drawn.
        title: What figures call it; nothing for the whole project.
        experiment: Experiment (or checkpoints) whose steps and matrices it has.
        shows: What is shown of it: all tickets, ... that start from it; None means itself.
        members: What a comparison compares, in the order in which it is drawn.
        values: The weight decay of each member, where these are compared.
    """

    name: str | None
    group: str
    params: FiguresParams
    axis: AxisParams | CheckpointsFigureParams
    title: str
    experiment: str | None = None
    shows: str | None = None
    members: tuple["Subject", ...] = ()
    values: Sequence[float] = ()

    @property
    def member_names(self) -> list[str]:
        """Names of its members."""
        return [str(member.name) for member in self.members]

    def rows(self, tables: Tables, table: str, **values: Any) -> pd.DataFrame:
        """Return the subject's rows of a table, with the column `time` of `timed`.

        The first column of a table says whose its rows are; others are to hold `values`, as in
        `frames.where`.
        """
        own = {tables[table].columns[0]: self.name}
        return self.timed(tables, where(tables[table], **own, **values))

    def rows_of_members(self, tables: Tables, table: str, **values: Any) -> list[pd.DataFrame]:
        """Return what `rows` returns of each member."""
        return [member.rows(tables, table, **values) for member in self.members]

    def timed(self, tables: Tables, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows with a column `time`, the epoch or the step (of a split, if there is one)."""
        step = next((name for name in ("split_step", "step") if name in rows), None)
        if step is None:
            return rows
        time = rows[step]
        if self.axis.x == "epoch":
            time = time.map(self._steps(tables).set_index("step")["epoch"])
        return rows.assign(time=time.astype(float))

    def timeline(self, tables: Tables) -> Timeline:
        """Return the axis of training time; of a connection that is the time of the split."""
        of = " of the split" if self.group == "connections" else ""
        return Timeline.of(self.axis, self._steps(tables)["step"], of)

    def layers(self, tables: Tables, key: Key) -> pd.DataFrame:
        """Return the matrices or pairs by name, in order of depth.

        Columns are `label`, for people, and `null`, the score of unrelated matrices (may be NaN).
        """
        table, null = _LAYERS[key]
        rows = where(tables[table], experiment=self.experiment).sort_values("depth", kind="stable")
        names = rows[key].tolist()
        labels = rows["label"] if key == "matrix" else map(short_pair, names)
        content = {"label": [plain(shortened(label)) for label in labels]}
        return pd.DataFrame(content | {"null": rows[null].to_numpy(float)}, index=names)

    def has_many(self, tables: Tables) -> bool:
        """Return whether it has more matrices than there can be lines over time in a panel."""
        many = len(where(tables["matrices"], experiment=self.experiment)) > MOST_LINES
        return many and self.rows(tables, "spectra")["step"].nunique() > 1

    def metrics(self, tables: Tables) -> dict[str, str]:
        """Return the metrics that its figures show, in their order, and what people call them."""
        own = where(tables["metrics"], experiment=self.experiment)
        return dict(zip(own["metric"], own["label"], strict=True))

    def chosen(self, tables: Tables, key: Key) -> str:
        """Return the matrix or pair that its own figures show in full."""
        names = list(self.layers(tables, key).index)
        return self.params.chosen(str(self.experiment), key, names).full[0]

    def several(self, tables: Tables, key: Key) -> Sequence[str]:
        """Return the matrices or pairs that get a small panel each, in order of depth."""
        names = list(self.layers(tables, key).index)
        return self.params.several(str(self.experiment), key, names)

    def _steps(self, tables: Tables) -> pd.DataFrame:
        return where(tables["steps"], experiment=self.experiment)


_LAYERS: dict[Key, tuple[str, str]] = {
    "matrix": ("matrices", "null_agreement"),
    "pair": ("pairs", "null_alignment"),
}


def checkpoints_of(name: str, params: FiguresParams) -> Subject:
    """Return checkpoints made elsewhere."""
    axis = params.of_checkpoints(name)
    return Subject(name, "checkpoints", params, axis, params.title(name), experiment=name)


def comparison_of(name: str, params: FiguresParams) -> Subject:
    """Return two models that are compared."""
    axis = CheckpointsFigureParams()
    return Subject(name, "comparisons", params, axis, params.title(name))


def experiments_in(tables: Tables) -> list[str]:
    """Return the names of all experiments; checkpoints made elsewhere have no history."""
    return tables["history"]["experiment"].unique().tolist()


def checkpoints_in(tables: Tables) -> list[str]:
    """Return the names of all checkpoints made elsewhere."""
    own = set(experiments_in(tables))
    return [name for name in tables["matrices"]["experiment"].unique() if name not in own]


def subjects(of: Of, tables: Tables, params: FiguresParams, groups: Groups) -> list[Subject]:
    """Return everything of a kind that the tables, the figures section or comparisons have."""

    def experiment(name: str, axis: AxisParams | None = None, **more: Any) -> Subject:
        called = {"title": params.title(name, groups)} | more
        return Subject(
            name, "experiments", params, axis or params.of(name), experiment=name, **called
        )

    def project(names: Iterable[str], axis: AxisParams | None = None) -> list[Subject]:
        members = tuple(experiment(name, axis) for name in names)
        return [Subject(None, "project", params, axis or AxisParams(), "", members=members)]

    def compared(base: str, names: Iterable[str], **more: Any) -> Subject:
        members = tuple(experiment(name, params.of(base)) for name in names)
        return experiment(base, members=members, **more)

    match of:
        case "experiment":
            return [experiment(name) for name in experiments_in(tables)]
        case "connection":
            found = tables["connections"][["connection", "experiment"]].itertuples(index=False)
            return [
                Subject(a, "connections", params, params.of(b), params.title(a), b)
                for a, b in found
            ]
        case "ticket":
            names = tables["tickets"]["experiment"].unique()
            return [experiment(name, shows="tickets") for name in names]
        case "samples":
            made = tables["samples"][["samples", "experiment"]].drop_duplicates()
            return [
                Subject(name, "samples", params, AxisParams(), params.title(experiment, groups))
                for name, experiment in made.itertuples(index=False)
            ]
        case "checkpoints":
            return [checkpoints_of(name, params) for name in checkpoints_in(tables)]
        case "comparison":
            return []  # of two models: there is none in a project
        case "weight_decay":
            return [
                compared(base, one.ascending, values=sorted(one.weight_decays.values()))
                for base, one in groups.weight_decay.items()
            ]
        case "labels":
            pairs = [(p.true_labels, p.random_labels) for p in groups.labels.values()]
            return [
                compared(both[0], both, title=_in_common(*map(params.title, both)))
                for both in pairs
            ]
        case "project":
            return project(n for n in experiments_in(tables) if n not in groups.variants)
        case "grokking":
            panel = params.grokking
            return project(panel.experiments, panel) if panel else []
        case "problems":
            return project(params.problems) if params.problems else []


def _in_common(title: str, other: str) -> str:
    """Return the words with which both titles begin; the first, if there are none."""
    pairs = zip(title.split(), other.split(), strict=False)
    words = [word for word, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return " ".join(words).rstrip(",") or title
