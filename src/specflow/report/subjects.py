"""What was run, a section of the page each: its settings and numbers, ready to be shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pydantic import AliasPath, BaseModel, ConfigDict, Field, RootModel

from specflow import paths
from specflow.audit.grouping import in_groups
from specflow.errors import BrokenFileError
from specflow.frames import Tables, at_end, where
from specflow.report.curves import Panel, panels_of, values_by_run
from specflow.report.numbers import UNDEFINED, number, parameter, spread
from specflow.section import Fraction, Section

# What a reader looks for first, where the settings have it. Groups are in this order on the page;
# of others, which come after them, that is the experiment.
_HEADLINES: dict[str, tuple[str, ...]] = {
    "experiments": (
        *("problem.kind", "dataset_name", "model.kind", "optimizer.kind"),
        *("optimizer.learning_rate", "optimizer.weight_decay", "batch_size", "num_epochs"),
    ),
    "connections": (
        *("experiment", "split_steps", "num_branches", "num_points", "across_trunks"),
        "perturbation.scales",
    ),
    "tickets": ("experiment", "kind", "density", "rewind_step"),
    "samples": ("experiment", "run_seed", "num_images"),
    "checkpoints": ("path", "files", "layout"),
}


class Config(BaseModel):
    """The resolved settings of everything that was run, by stage and name.

    Attributes:
        confidence: That of all intervals.
        entries: What is collected of every subject, by group and name.
        stages: The stages of each group, whose settings a section shows.
        titles: What figures call experiments, by name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, dict[str, Any]]]

    confidence: Fraction = Field(validation_alias=AliasPath("judge", "all", "claims", "confidence"))
    entries: dict[str, dict[str, dict[str, Any]]] = Field(
        validation_alias=AliasPath("collect", "all", "entries")
    )
    stages: dict[str, list[str]] = Field(validation_alias=AliasPath("report", "all", "stages"))
    titles: dict[str, str] = Field(validation_alias=AliasPath("report", "all", "titles"))

    @property
    def seeds(self) -> list[int]:
        """Those of all experiments."""
        experiments = self.entries.get("experiments", {}).values()
        return sorted({seed for experiment in experiments for seed in experiment["seeds"]})


class Spread(Section):
    """Mean and standard deviation; None where the quantity is not always defined."""

    mean: float | None
    std: float | None


class Metrics(RootModel[dict[str, "Spread | Metrics"]]):
    """Final quantities, nested."""


Summary = Mapping[str, Mapping[str, Metrics]]  # by group (experiments, ...) and name


@dataclass(frozen=True, eq=False)
class Subject:
    """An experiment, a connection, a ticket, a set of samples, or checkpoints made elsewhere.

    Attributes:
        group: Which of these it is, in the plural.
        name: Its name.
        settings: Its settings as text, by stage and dotted key.
        title: What figures call it, if it is an experiment or has the name of one.
        source: Name of the experiment that it starts from; None for an experiment or checkpoints.
        metrics: Its final metrics: tables of text, each with what its rows have in common.
        panels: Its curves.
        steps: Of checkpoints, the steps.
        flags: Of checkpoints, what their audit found wrong; None for anything else.
        told: Of checkpoints alone, what their audit found of all steps together, to end a sentence.
        matrices: Of checkpoints, every matrix with its quantities at the last step, as text.
        pairs: Of checkpoints alone, every pair of neighbours with its alignment at the first and
            the last step, as text.
        notes: Of checkpoints, what could not be declared of their layout, where it is known.
        skipped: Of checkpoints, tensors that are not analysed, with the reason.
    """

    group: str
    name: str
    settings: Mapping[str, Mapping[str, str]]
    title: str = ""
    source: str | None = None
    metrics: Sequence[tuple[str, pd.DataFrame]] = ()
    panels: Sequence[Panel] = ()
    steps: Sequence[int] = ()
    flags: pd.DataFrame | None = None
    told: str = ""
    matrices: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    notes: Sequence[str] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """Id of its section."""
        return f"{self.group.removesuffix('s')}-{self.name}"

    @property
    def runs(self) -> pd.DataFrame | None:
        """What its single runs came to, as text."""
        return values_by_run(self.group, self.panels)

    @property
    def audited(self) -> str:
        """Of checkpoints, what their audit found, in words."""
        assert self.flags is not None, "of checkpoints"
        steps = f"{len(self.steps)} steps" if len(self.steps) > 1 else "the one step"
        if not len(self.flags):
            return f"No flags: {steps} checked, with all tensors as expected{self.told}."
        counts = self.flags["flag"].value_counts()
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        return f"Flags on {self.flags.index.nunique()} of {steps}: {kinds}."

    @property
    def faults(self) -> pd.DataFrame:
        """Of checkpoints, their flags; those of many tensors of a part of a network together."""
        assert self.flags is not None, "of checkpoints"
        lines = in_groups(self.flags.itertuples(name=None))
        return pd.DataFrame(lines, columns=["step", *self.flags.columns]).set_index("step")

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Names of the tensors that are not analysed by the reason, the most frequent first."""
        found: dict[str, list[str]] = {}
        for name, reason in self.skipped.items():
            found.setdefault(reason, []).append(name)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    @property
    def headline(self) -> dict[str, str]:
        """What a reader looks for first: every name of the group, empty where it has no value."""
        values = {"experiment": self.source or ""}
        for settings in self.settings.values():
            values |= settings
        keys = _HEADLINES.get(self.group, ("experiment",))
        return {_words(key): values.get(key, "") for key in keys}


def subjects_of(config: Config, summary: Summary, tables: Tables) -> Iterator[Subject]:
    """Yield everything that was run, in the order of the page.

    Tables have the curves, and the numbers of checkpoints made elsewhere.

    Raises:
        BrokenFileError: If a table is missing or broken.
    """
    settings = config.__pydantic_extra__
    for group in dict.fromkeys((*_HEADLINES, *config.entries)):
        for name, collected in config.entries.get(group, {}).items():
            own = {stage: settings[stage].get(name) for stage in config.stages[group]}
            metrics, source = summary.get(group, {}).get(name), collected.get("experiment")
            yield Subject(
                group,
                name,
                {stage: flat(values) for stage, values in own.items() if values},
                config.titles.get(name, ""),
                source,
                metrics_tables(metrics) if metrics else (),
                panels_of(group, name, tables, source),
                **(checkpoints_of(tables, name) if group == "checkpoints" else {}),
            )


def checkpoints_of(tables: Tables, name: str, *, is_audited: bool = True) -> dict[str, Any]:
    """Return `steps`, `flags` and `matrices` of the subject of checkpoints made elsewhere.

    Raises:
        BrokenFileError: If a table is missing or broken.
    """
    try:
        flags = None
        if is_audited:
            flags = where(tables["audit"], experiment=name).drop(columns="experiment")
            flags = flags.assign(flag=flags["flag"].str.replace("_", " ")).set_index("step")
        steps = where(tables["steps"], experiment=name)["step"].tolist()
        return {"steps": steps, "flags": flags, "matrices": _matrices(tables, name)}
    except KeyError as error:
        raise BrokenFileError(paths.TABLES, f"{name}: no column {error}", "collect") from error


def _matrices(tables: Tables, name: str) -> pd.DataFrame:
    """Return the quantities of every matrix at the last step as text, by its label."""
    matrices = where(tables["matrices"], experiment=name).sort_values("depth")
    spectra = at_end(where(tables["spectra"], experiment=name)).set_index("matrix")
    quantities = spectra.drop(columns=["experiment", "seed", "step", "agreement_score"])
    shown = quantities.reindex(matrices["matrix"]).map(number)
    shown = shown.rename(columns=lambda column: column.replace("_", " "))
    sizes = zip(matrices["rows"], matrices["columns"], strict=True)
    shown.insert(0, "outputs x inputs", [f"{rows} x {columns}" for rows, columns in sizes])
    shown.insert(0, "name", matrices["matrix"].to_list())
    return shown.set_index(pd.Index(matrices["label"], name="matrix"))


def pairs_of(tables: Tables, name: str) -> pd.DataFrame | None:
    """Return the alignment of every pair of neighbours as text, by its label; None if none.

    Raises:
        BrokenFileError: If a table is missing or broken.
    """
    pairs = where(tables["pairs"], experiment=name).sort_values("depth").set_index("pair")
    rows = where(tables["alignment"], experiment=name)
    if not len(pairs) or not len(rows):
        return None
    ends = sorted({rows["step"].min(), rows["step"].max()})
    scores = {
        f"step {step}": where(rows, step=step).set_index("pair")["alignment_score"] for step in ends
    }
    shown = pd.DataFrame(scores | {"unrelated": pairs["null_alignment"]}, index=pairs.index)
    return shown.map(number)


def flat(settings: Mapping[str, Any], key: str = "") -> dict[str, str]:
    """Return every value of settings that stand at a key as text by its dotted key, but `code`."""
    values: dict[str, str] = {}
    for name, node in settings.items():
        dotted = f"{key}.{name}".strip(".")
        if isinstance(node, Mapping) and node:
            values |= flat(node, dotted) if dotted != "code" else {}
        else:
            values[dotted] = "none" if node == {} else parameter(node)
    return values


def metrics_tables(metrics: Metrics, caption: str = "") -> list[tuple[str, pd.DataFrame]]:
    """Return all quantities as tables with a caption, what they have in common.

    Those of this level are a list. Groups that hold quantities alone are the rows of one table;
    other groups have tables of their own.
    """
    cells = _cells(metrics)
    groups = {name: node for name, node in metrics.root.items() if isinstance(node, Metrics)}
    tables = []
    if cells:
        tables.append((caption, pd.DataFrame({"mean ± std": pd.Series(cells)})))
    if any(isinstance(own, Metrics) for group in groups.values() for own in group.root.values()):
        for name, group in groups.items():
            tables += metrics_tables(group, f"{caption} {name}".strip())
    elif groups:
        rows = {name: _cells(group) for name, group in groups.items()}
        tables.append((caption, pd.DataFrame.from_dict(rows, "index").fillna(UNDEFINED)))
    return tables


def _cells(metrics: Metrics) -> dict[str, str]:
    nodes = metrics.root.items()
    return {name: spread(node.mean, node.std) for name, node in nodes if isinstance(node, Spread)}


def _words(key: str) -> str:
    """Return what a value is called: the last part of its key that tells something, in words."""
    return key.removesuffix(".kind").rpartition(".")[2].removeprefix("num_").replace("_", " ")
