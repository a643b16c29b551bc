"""Sections of experiments: a task on a dataset, and what it overrides."""

from collections.abc import Mapping
from typing import Any

from specflow.datasets.dataset import DatasetSection
from specflow.measure.settings import PruningParams, SpectraParams
from specflow.problems.settings import ProblemSettings
from specflow.section import Name, Section
from specflow.studies.experiments.collected import Collected
from specflow.studies.experiments.settings import PruneSettings, SpectraSettings
from specflow.studies.study import Known, Shown, Study
from specflow.training.schedules import StepSchedule
from specflow.training.settings import RunSettings, TrainingParams
from specflow.wiring import Wiring


class ExperimentParams(Study, TrainingParams):
    """An experiment after the merge: the keys of its task, with its own on top.

    Attributes:
        task: Name of the task.
        dataset: Name of the dataset.
        spectra: What is stored of every matrix; the file's own unless overridden.
        pruning: What is kept of every spectrum; the file's own unless overridden.
    """

    task: Name
    dataset: Name
    spectra: SpectraParams
    pruning: PruningParams

    def wiring(self, dataset: DatasetSection) -> Wiring:
        """Return the wiring of the experiment's networks, without allocating weights."""
        return self.model.wiring(dataset.shape)

    def run(self, name: str, known: Known) -> RunSettings:
        """Return what the runs depend on, and nothing else."""
        dataset = known.datasets[self.dataset]
        training = {key: getattr(self, key) for key in TrainingParams.model_fields}
        return RunSettings(
            **training,
            experiment=name,
            dataset_name=self.dataset,
            shape=dataset.shape,
            num_train=dataset.num_train,
            seeds=known.seeds,
        )

    def problem_settings(self, known: Known) -> ProblemSettings:
        """Return what evaluating a network of the experiment depends on."""
        return ProblemSettings(
            problem=self.problem,
            model=self.model,
            evaluation=self.evaluation,
            dataset_name=self.dataset,
            shape=known.datasets[self.dataset].shape,
        )

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of train, spectra and prune."""
        run = self.run(name, known)
        return {
            "train": run,
            "spectra": SpectraSettings(
                seeds=run.seeds,
                num_checkpoints=len(run.kept_steps),
                model=run.model,
                shape=run.shape,
                spectra=self.spectra,
            ),
            "prune": PruneSettings(
                seeds=run.seeds,
                num_checkpoints=len(run.kept_steps),
                run=self.problem_settings(known),
                pruning=self.pruning,
            ),
        }

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the experiment are made of."""
        matrices, pairs = shown.of(name, self.wiring(known.datasets[self.dataset]))
        return Collected(seeds=known.seeds, matrices=matrices, pairs=pairs)

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
        kept = self.checkpoint_steps(num_train)
        problems = []
        for step in self.checkpoints.split_steps:
            if step >= kept[-1]:
                problems.append(
                    f"got {step}; expected a step before the end of training, {kept[-1]}"
                )
            elif step not in kept:
                near = sorted(sorted(kept[:-1], key=lambda other: abs(other - step))[:4])
                problems.append(
                    f"got {step}; expected a step that the checkpoint plan keeps, near it: "
                    + ", ".join(map(str, near))
                )
        return [f"checkpoints.split_steps: {problem}" for problem in problems]


def merge(base: Any, override: Any) -> Any:
    """Return `base` with `override` on top, key by key.

    A mapping of another `kind` replaces the base as a whole, since its keys are others.

    Args:
        base: A value as read from YAML; not modified.
        override: A value as read from YAML; not modified.

    Returns:
        The merged value.
    """
    if not (isinstance(base, Mapping) and isinstance(override, Mapping)):
        return override
    if override.get("kind", base.get("kind")) != base.get("kind"):
        return override
    merged = {key: merge(base[key], value) for key, value in override.items() if key in base}
    return {**base, **override, **merged}
