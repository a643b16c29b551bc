"""Sections of samples: new images from the final weights of a run, whole and pruned."""

from collections.abc import Mapping

from specflow.section import Section
from specflow.studies.samples.settings import SampleSettings, Sampling
from specflow.studies.study import Known, Shown, Study


class SampleParams(Study, Sampling):
    """Images that a generative experiment makes."""

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of sample."""
        experiment = known.experiments[self.experiment]
        run, pruning = experiment.problem_settings(known), experiment.pruning
        return {"sample": SampleSettings(**dict(self), run=run, pruning=pruning)}

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the table of samples is made of."""
        return Sampling(**dict(self))

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit between the samples and their experiment."""
        experiment = known.experiments.get(self.experiment)
        if experiment is None:
            return known.unknown("experiment", self.experiment, "experiments")
        problems = []
        if not experiment.problem.is_generative:
            items = known.experiments.items()
            fitting = [key for key, other in items if other.problem.is_generative]
            problems.append(
                f"experiment: got {self.experiment!r}, whose problem {experiment.problem.kind} has "
                f"nothing to sample; expected one of {', '.join(fitting) or 'none: there are none'}"
            )
        if known.seeds and self.run_seed not in known.seeds:
            expected = f"expected one of seeds = {list(known.seeds)}"
            problems.append(f"run_seed: got {self.run_seed}; {expected}")
        return problems
