"""The figures section of params.yaml, and which matrices and pairs figures show in full."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from specflow.errors import SpecflowError, one_of
from specflow.section import Name, Section, Text
from specflow.studies.comparisons import Groups


class AxisParams(Section):
    """How the axis of training time is drawn.

    Attributes:
        x: What it counts, epochs or optimizer steps.
        scale: linear, or log with a short linear part that holds step 0.
    """

    x: Literal["epoch", "step"] = "epoch"
    scale: Literal["linear", "log"] = "linear"


class ExperimentFigureParams(AxisParams):
    """How one experiment is drawn.

    Attributes:
        matrix: Name of the parameter whose singular values and diagonals are shown; None means
            that of the grokking panel if the experiment is in it, else the middle one by depth.
        pair: Label of the pair of neighbours whose diagonal is shown; None likewise.
    """

    matrix: Text | None = None
    pair: Text | None = None


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


class CheckpointsFigureParams(Section):
    """How checkpoints made elsewhere are drawn, against their steps.

    Attributes:
        scale: Of the axis of steps: linear, log, or auto for log where half of the steps are in
            its first tenth.
        matrix: Name of the matrix whose singular values and diagonals are shown; None means the
            middle one by depth.
        pair: Label of the pair of neighbours whose diagonal is shown; None likewise.
    """

    scale: Literal["auto", "linear", "log"] = "auto"
    matrix: Text | None = None
    pair: Text | None = None

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
        problems: Experiments that stand side by side, a column each, in figures of spectra,
            pruning, alignment and agreement; none means that there are no such figures.
        checkpoints: Those that are not drawn with the defaults of CheckpointsFigureParams.
    """

    dpi: Annotated[int, Field(ge=50, le=260)] = 130
    experiments: dict[Name, ExperimentFigureParams] = Field(default_factory=dict)
    grokking: GrokkingFigureParams | None = None
    # more columns would not be legible
    problems: Annotated[tuple[Name, ...], Field(strict=False, max_length=6)] = ()
    checkpoints: dict[Name, CheckpointsFigureParams] = Field(default_factory=dict)

    def of(self, experiment: str) -> ExperimentFigureParams:
        """Return how an experiment is drawn, by the defaults where nothing is said of it."""
        return self.experiments.get(experiment, ExperimentFigureParams())

    def of_checkpoints(self, name: str) -> CheckpointsFigureParams:
        """Return how checkpoints are drawn, by the defaults where nothing is said of them."""
        return self.checkpoints.get(name, CheckpointsFigureParams())

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


def chosen_matrices(params: FiguresParams, name: str, matrices: Sequence[str]) -> list[str]:
    """Return every matrix of an experiment, or of checkpoints, that some figure shows in full.

    That of its own figures comes first (the one that params name, or that of the grokking panel,
    or of all `matrices`, which are in order of depth, the middle one), then that of the panel.

    Raises:
        SpecflowError: If a named matrix is not one of `matrices`, or there are none.
    """
    return _chosen(_asked(params, name, "matrix"), matrices)


def chosen_pairs(params: FiguresParams, name: str, pairs: Sequence[str]) -> list[str]:
    """Return every pair that some figure shows in full, as `chosen_matrices` does, if there is one.

    Raises:
        SpecflowError: If a named pair is not one of `pairs`.
    """
    asked = _asked(params, name, "pair")
    return _chosen(asked, pairs) if pairs or any(asked.values()) else []


def _asked(
    params: FiguresParams, name: str, key: Literal["matrix", "pair"]
) -> dict[str, str | None]:
    """Return what is asked for, by its path in params.yaml: None is the middle one."""
    section = "checkpoints" if name in params.checkpoints else "experiments"
    own = getattr(getattr(params, section).get(name), key, None)
    asked = {f"figures.{section}.{name}.{key}": own}
    panel = params.grokking
    if panel is None or name not in panel.experiments:
        return asked
    return {**(asked if own is not None else {}), f"figures.grokking.{key}": getattr(panel, key)}


def _chosen(asked: dict[str, str | None], names: Sequence[str]) -> list[str]:
    chosen = []
    for path, named in asked.items():
        value = names[len(names) // 2] if named is None and names else named
        if value is None or value not in names:
            raise SpecflowError(f"{path}: got {named!r}; {one_of(names)}")
        chosen.append(value)
    return list(dict.fromkeys(chosen))
