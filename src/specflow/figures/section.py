"""The figures section of params.yaml, and which matrices and pairs figures show."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from specflow.errors import one_of
from specflow.section import Name, Section, Text
from specflow.studies.comparisons import Groups
from specflow.studies.shown import Chosen, Key, ShownParams


class AxisParams(Section):
    """How the axis of training time is drawn.

    Attributes:
        x: What it counts, epochs or optimizer steps.
        scale: linear, or log with a short linear part that holds step 0.
    """

    x: Literal["epoch", "step"] = "epoch"
    scale: Literal["linear", "log"] = "linear"


class ExperimentFigureParams(AxisParams, ShownParams):
    """How one experiment is drawn.

    Attributes:
        title: What figures call it; None means its name, with spaces, or of a series of weight
            decays the title of the one with the task's, followed by the weight decay.
        matrix: Name of the parameter whose singular values and diagonals are shown in full; None
            means that of the grokking panel if the experiment is in it, else the middle one by
            depth.
        pair: Label of the pair of neighbours whose diagonal is shown in full; None likewise.
    """

    title: Text | None = None


class GrokkingFigureParams(AxisParams):
    """The panel that compares experiments, a row each.

    Attributes:
        experiments: Names of the experiments, from the top row down.
        matrix: Name of the parameter whose singular values are shown.
        pair: Label of the pair of neighbours whose diagonal is shown.
    """

    experiments: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
    matrix: Text
    pair: Text


class CheckpointsFigureParams(ShownParams):
    """How checkpoints made elsewhere are drawn, against their steps.

    Attributes:
        title: What figures call them; None means their name, with spaces.
        scale: Of the axis of steps: linear, log, or auto for log where half of the steps are in
            its first tenth.
    """

    title: Text | None = None
    scale: Literal["auto", "linear", "log"] = "auto"

    @property
    def x(self) -> Literal["step"]:
        """What the axis counts; epochs are not known."""
        return "step"


class FiguresParams(Section):
    """What is drawn, and how.

    Attributes:
        dpi: Dots per inch; figures are 9 inches wide.
        experiments: Experiments that are not drawn with the defaults of ExperimentFigureParams.
        grokking: The panel that compares experiments; None means that there is none.
        problems: Experiments that stand side by side in figures of spectra, pruning, alignment and
            agreement; none means that there are no such figures.
        checkpoints: Those that are not drawn with the defaults of CheckpointsFigureParams.
    """

    dpi: Annotated[int, Field(ge=50, le=260)] = 130
    experiments: dict[Name, ExperimentFigureParams] = Field(default_factory=dict)
    grokking: GrokkingFigureParams | None = None
    # more would not be legible
    problems: Annotated[tuple[Name, ...], Field(strict=False, max_length=6)] = ()
    checkpoints: dict[Name, CheckpointsFigureParams] = Field(default_factory=dict)

    def of(self, experiment: str) -> ExperimentFigureParams:
        """Return how an experiment is drawn, by the defaults where nothing is said of it."""
        return self.experiments.get(experiment, ExperimentFigureParams())

    def of_checkpoints(self, name: str) -> CheckpointsFigureParams:
        """Return how checkpoints are drawn, by the defaults where nothing is said of them."""
        return self.checkpoints.get(name, CheckpointsFigureParams())

    def title(self, name: str, groups: Groups | None = None) -> str:
        """Return what figures call an experiment, checkpoints, or an entry of another kind."""
        if own := self._shown(name).title:
            return own
        for series in groups.weight_decay.values() if groups else ():
            if name in series.variants:
                decay = decay_label(series.weight_decays[name])
                return f"{self.title(series.base)}, weight decay {decay}"
        return name.replace("_", " ")

    def several(self, name: str, key: Key, names: Sequence[str]) -> Sequence[str]:
        """Return what gets a small panel of all matrices or pairs, as `ShownParams.several`."""
        return self._shown(name).several(key, names)

    def chosen(self, name: str, key: Key, names: Sequence[str]) -> Chosen:
        """Return every matrix or pair of an experiment, or of checkpoints, that some figure shows.

        Raises:
            SpecflowError: If one that is named is not one of `names`.
        """
        section = "checkpoints" if name in self.checkpoints else "experiments"
        panel = {}
        if self.grokking is not None and name in self.grokking.experiments:
            panel = {f"figures.grokking.{key}": getattr(self.grokking, key)}
        return self._shown(name).chosen(f"figures.{section}.{name}", key, names, panel)

    def _shown(self, name: str) -> ExperimentFigureParams | CheckpointsFigureParams:
        return self.checkpoints.get(name) or self.of(name)

    @property
    def _experiments(self) -> list[tuple[str, str]]:
        """Every place where the section names an experiment, and which."""
        panel = self.grokking.experiments if self.grokking else ()
        return [
            *((f"experiments.{name}", name) for name in self.experiments),
            *(("grokking.experiments", name) for name in panel),
            *(("problems", name) for name in self.problems),
        ]

    @property
    def named(self) -> set[str]:
        """The experiments that the section names."""
        return {name for _, name in self._experiments}

    def unknown_names(self, experiments: set[str], checkpoints: set[str]) -> list[str]:
        """Return what the section names and does not exist, as lines "path: value; expectation".

        Args:
            experiments: Names of all experiments, faulty ones included.
            checkpoints: Names of all checkpoints made elsewhere, faulty ones included.
        """
        named = [(path, name, experiments) for path, name in self._experiments]
        named += [(f"checkpoints.{name}", name, checkpoints) for name in self.checkpoints]
        return [
            f"figures.{path}: got {name!r}; {one_of(sorted(known))}"
            for path, name, known in named
            if name not in known
        ]


class FiguresSettings(Section):
    """What is drawn, and which experiments are compared."""

    figures: FiguresParams
    groups: Groups


def decay_label(decay: float) -> str:
    """Return a weight decay in few letters, "0.1" or "1e-4"."""
    scientific = np.format_float_scientific(decay, trim="-", exp_digits=1)
    return min(f"{decay:g}", scientific, key=len)
