"""Sections of connections: branches from a trunk, and the interpolation between their endpoints."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from specflow.section import Name, Section
from specflow.studies.connections.collected import Collected
from specflow.studies.connections.settings import Branches, BranchSettings, ConnectSettings
from specflow.studies.study import Known, Shown, Study


class ConnectionParams(Study, Branches):
    """Branches from checkpoints of an experiment, and the interpolation between their endpoints.

    Attributes:
        experiment: The experiment whose runs are the trunks.
        num_points: Points on the path between two endpoints, both included.
        across_trunks: Whether there are paths between the branches of one number of every two
            trunks as well.
    """

    experiment: Name
    num_points: Annotated[int, Field(ge=3)]
    across_trunks: bool

    @property
    def branches(self) -> Branches:
        """The branches alone."""
        return Branches(**{key: getattr(self, key) for key in Branches.model_fields})

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of branch and connect."""
        experiment, branches = known.experiments[self.experiment], dict(self.branches)
        return {
            "branch": BranchSettings(
                **branches,
                run=experiment.run(self.experiment, known),
                batch_norm_samples=experiment.pruning.batch_norm_samples,
            ),
            "connect": ConnectSettings(
                **branches,
                run=experiment.problem_settings(known),
                num_points=self.num_points,
                across_trunks=self.across_trunks,
                pruning=experiment.pruning,
                spectra=experiment.spectra,
            ),
        }

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the connection are made of."""
        return Collected(**{key: getattr(self, key) for key in Collected.model_fields})

    def problems(self, known: Known) -> list[str]:
        """Return what does not fit in itself, or with the experiment."""
        problems = [*self._path_problems()]
        problems += known.unknown("experiment", self.experiment, "experiments")
        if self.experiment in known.experiments and known.seeds:
            problems += self._trunk_problems(known)
        return problems

    def _path_problems(self) -> list[str]:
        problems, seeds, steps = [], self.trunk_seeds, self.split_steps
        if self.across_trunks and len(seeds) < 2:
            problems.append(
                f"across_trunks: got true with trunk_seeds = {list(seeds)}; "
                "expected false, or two trunk_seeds or more"
            )
        perturbed = self.perturbation
        if perturbed is not None and perturbed.split_step not in steps:
            problems.append(
                f"perturbation.split_step: got {perturbed.split_step}; "
                f"expected one of split_steps = {list(steps)}, whose branches are scale 0"
            )
        return problems

    def _trunk_problems(self, known: Known) -> list[str]:
        experiment, problems = known.experiments[self.experiment], []
        if missing := sorted(set(self.trunk_seeds) - set(known.seeds)):
            expected = f"expected some of seeds = {list(known.seeds)}"
            problems.append(f"trunk_seeds: got {missing}; {expected}")
        if missing := sorted(set(self.split_steps) - set(experiment.checkpoints.split_steps)):
            expected = f"expected some of {known.split_steps(self.experiment)}"
            problems.append(f"split_steps: got {missing}; {expected}")
        if experiment.batch_size == "full":
            problems.append(
                f"experiment: {self.experiment} trains on full batches, where the order of "
                "data makes no difference between branches; expected a batch_size"
            )
        return problems
