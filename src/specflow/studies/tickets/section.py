"""Sections of lottery tickets: masked networks that are trained again from an early step."""

from collections.abc import Mapping

from specflow.section import Section
from specflow.studies.study import Known, Shown, Study
from specflow.studies.tickets.collected import Collected
from specflow.studies.tickets.settings import CompareSettings, RetrainSettings, Ticket


class TicketParams(Study, Ticket):
    """A lottery ticket: the runs of an experiment with most of their weights held at 0."""

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of retrain and compare."""
        experiment, ticket = known.experiments[self.experiment], dict(self)
        run = experiment.run(self.experiment, known)
        samples = experiment.pruning.batch_norm_samples
        return {
            "retrain": RetrainSettings(**ticket, run=run, batch_norm_samples=samples),
            "compare": CompareSettings(
                **ticket,
                seeds=known.seeds,
                num_checkpoints=sum(step >= self.rewind_step for step in run.kept_steps),
                model=run.model,
                shape=run.shape,
                score_length=experiment.spectra.score_length,
            ),
        }

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the ticket are made of."""
        return Collected(**dict(self), seeds=known.seeds)

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit between the ticket and its experiment."""
        experiment = known.experiments.get(self.experiment)
        if experiment is None:
            return known.unknown("experiment", self.experiment, "experiments")
        problems = []
        if self.rewind_step not in experiment.checkpoints.split_steps:
            expected = f"expected one of {known.split_steps(self.experiment)}"
            problems.append(f"rewind_step: got {self.rewind_step}; {expected}")
        dataset = known.datasets.get(experiment.dataset)
        if dataset is not None and not experiment.problems(known):
            views = (matrix.view for matrix in experiment.wiring(dataset).inner)
            total = sum(view.rows * view.columns for view in views)
            if round(self.density * total) == 0:
                problems.append(
                    f"density: got {self.density}, which keeps none of the {total} weights of "
                    f"{self.experiment}; expected {1 / total:.1e} or more"
                )
        return problems
