"""Sections of experiments, and their tables: spectra, histories, and losses after pruning."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.datasets.dataset import DatasetSection
from specflow.frames import Frames, at_end, first_fits, where
from specflow.hdf5 import open_file
from specflow.measure.layouts import PRUNING
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Name, Section, Seeds
from specflow.studies.experiments.settings import PruneSettings, SpectraSettings
from specflow.studies.shown import Chosen
from specflow.studies.spectra import Measured, spectra_summary, spectra_tables
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tables import (
    Row,
    Spread,
    metrics,
    pruned_metrics,
    pruning_rows,
    spread,
    tables_of,
)
from specflow.training.schedules import StepSchedule
from specflow.training.settings import RunSettings, TrainingParams
from specflow.wiring import Wiring

_RUN = ("experiment", "seed", "step", "split")
_COLUMNS = {
    "history": (*_RUN, "metric", "value"),
    "pruning": (*_RUN, "keep", "keep_fraction", "metric", "value"),
}
_METRICS = ("experiment", "metric", "label")


class CollectedExperiment(Section):
    """What is collected of an experiment.

    Attributes:
        seeds: Its seeds.
        matrices: Matrices of which single singular values and diagonals go into tables.
        pairs: Pairs whose diagonals go into tables.
        metrics: Each metric that figures show, and what people call it.
    """

    seeds: Seeds
    matrices: Chosen
    pairs: Chosen
    metrics: Annotated[tuple[tuple[str, str], ...], Field(strict=False)]


class ExperimentParams(Study, TrainingParams):
    """An experiment after the merge: the keys of its task, with its own on top.

    Attributes:
        task: Name of the task.
        dataset: Name of the dataset.
        seeds: Seeds of its runs; the file's own unless overridden.
        spectra: What is stored of every matrix; the file's own unless overridden.
        pruning: What is kept of every spectrum; the file's own unless overridden.
    """

    collects = CollectedExperiment

    task: Name
    dataset: Name
    seeds: Seeds
    spectra: SpectraParams
    pruning: PruningParams

    def wiring(self, dataset: DatasetSection) -> Wiring:
        """Return the wiring of the experiment's networks, without allocating weights."""
        return self.model.wiring(dataset.shape)

    def run(self, name: str, known: Known) -> RunSettings:
        """Return what the runs depend on, and nothing else."""
        dataset = known.datasets[self.dataset]
        return RunSettings(
            **self._shared(RunSettings),
            experiment=name,
            dataset_name=self.dataset,
            shape=dataset.shape,
            num_train=dataset.num_train,
        )

    def problem_settings(self, known: Known) -> ProblemSettings:
        """Return what evaluating a network of the experiment depends on."""
        shape = known.datasets[self.dataset].shape
        return ProblemSettings(
            **self._shared(ProblemSettings), dataset_name=self.dataset, shape=shape
        )

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of train, spectra and prune."""
        run, problem = self.run(name, known), self.problem_settings(known)
        about: dict[str, Any] = {"seeds": run.seeds, "num_checkpoints": len(run.kept_steps)}
        spectra = SpectraSettings(**about, model=run.model, shape=run.shape, spectra=self.spectra)
        prune = PruneSettings(**about, run=problem, pruning=self.pruning)
        return {"train": run, "spectra": spectra, "prune": prune}

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the experiment are made of."""
        own = shown.of(name, self.wiring(known.datasets[self.dataset]))
        return CollectedExperiment(
            seeds=self.seeds,
            matrices=own["matrix"],
            pairs=own["pair"],
            metrics=tuple(self.problem.metrics.items()),
        )

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit together in the experiment and its dataset."""
        if self.dataset not in known.datasets:
            return known.unknown("dataset", self.dataset, "datasets")
        dataset = known.datasets[self.dataset]
        return [
            *self._model_problems(dataset),
            *self._batch_problems(dataset.num_train),
            *self._schedule_problems(dataset.num_train),
            *self._split_problems(dataset.num_train),
        ]

    def _model_problems(self, dataset: DatasetSection) -> list[str]:
        try:
            self.model.check_shape(dataset.shape)
        except ValueError as error:
            return [f"model: {error} (dataset {self.dataset})"]
        problem, model = self.problem.kind, self.model
        if problem not in model.solves:
            expected = " or ".join(model.solves)
            return [
                f"problem.kind: got {problem!r}; expected {expected}, which {model.kind} solves"
            ]
        if dataset.is_text != self.problem.reads_text:
            return [
                f"problem.kind: got {problem!r} on {dataset.kind} (dataset {self.dataset}); "
                "expected language_modelling on text, and on nothing else"
            ]
        return []

    def _batch_problems(self, num_train: int) -> list[str]:
        size = self.batch_size
        if size != "full" and size >= num_train:
            return [f"batch_size: got {size}; expected less than the {num_train} samples, or full"]
        if self.accumulation_steps > self.samples_per_step(num_train):
            micro = self.accumulation_steps
            return [f"accumulation_steps: got {micro}; expected at most the batch size"]
        return []

    def _schedule_problems(self, num_train: int) -> list[str]:
        schedule, num_steps = self.schedule, self.num_steps(num_train)
        problems = []
        if schedule.warmup_steps >= num_steps:
            problems.append(
                f"schedule.warmup_steps: got {schedule.warmup_steps}; "
                f"expected less than the {num_steps} steps of training"
            )
        if isinstance(schedule, StepSchedule) and schedule.epochs[-1] >= self.num_epochs:
            problems.append(
                f"schedule.epochs: got {schedule.epochs[-1]}; "
                f"expected less than num_epochs = {self.num_epochs}"
            )
        return problems

    def _split_problems(self, num_train: int) -> list[str]:
        last = self.num_steps(num_train)
        return [
            f"checkpoints.split_steps: got {step}; "
            f"expected a step before the end of training, {last}"
            for step in self.checkpoints.split_steps
            if step >= last
        ]

    @staticmethod
    def tables(entries: Mapping[str, CollectedExperiment]) -> dict[str, pd.DataFrame]:
        """Return the tables of spectra, history, pruning, and metrics by what they are called.

        Pruning has no rows of the full model but of networks with BatchNorm, whose statistics are
        re-estimated: the others are its history.
        """
        measured = [
            Measured(
                name,
                {seed: paths.spectra(name, seed) for seed in own.seeds},
                own.matrices,
                own.pairs,
            )
            for name, own in entries.items()
        ]
        rows = (
            (table, (name, seed, *row))
            for name, own in entries.items()
            for seed in own.seeds
            for table, *row in _of_run(name, seed)
        )
        found = {**spectra_tables(measured), **tables_of(_COLUMNS, rows)}
        called = [(name, *metric) for name, own in entries.items() for metric in own.metrics]
        found["metrics"] = pd.DataFrame(called, columns=list(_METRICS))
        return found

    @staticmethod
    def summary(tables: Frames, names: Sequence[str]) -> dict[str, Any]:
        """Return what the metrics file says of each experiment, over seeds."""
        found = {}
        for name in names:
            history = where(tables["history"], experiment=name)
            found[name] = {
                **metrics(at_end(history), ["seed"]),
                **_first_fits(history),
                **spectra_summary(tables, name, "seed", "seed"),
                "pruned": pruned_metrics(at_end(where(tables["pruning"], experiment=name))),
            }
        return found


def _of_run(experiment: str, seed: int) -> Iterator[Row]:
    with open_trajectory(paths.trajectory(experiment, seed)) as run:
        for name, values in sorted(run.metrics().items()):
            for step, value in zip(run.steps, values.tolist(), strict=True):
                yield "history", step, *name.split("/"), value
    with open_file(paths.pruning(experiment, seed), PRUNING) as file:
        yield from pruning_rows(file)


def _first_fits(history: pd.DataFrame) -> dict[str, Spread]:
    parts = where(history, metric="error").groupby("split", sort=False)
    return {
        f"{split}/first_step_at_99_percent": spread(first_fits(errors)) for split, errors in parts
    }


def merge(base: Any, override: Any) -> Any:
    """Return `base` with `override` on top, key by key; both as read from YAML, not modified.

    A mapping of another `kind` replaces the base as a whole, since its keys are others.
    """
    if not (isinstance(base, Mapping) and isinstance(override, Mapping)):
        return override
    if override.get("kind", base.get("kind")) != base.get("kind"):
        return override
    merged = {key: merge(base[key], value) for key, value in override.items() if key in base}
    return {**base, **override, **merged}
