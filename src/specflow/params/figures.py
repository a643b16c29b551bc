"""The figures section of params.yaml, and which matrices and pairs the figures show."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from specflow.errors import SpecflowError
from specflow.section import Name, Section

Label = Annotated[str, Field(min_length=1)]


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

    matrix: Label | None = None
    pair: Label | None = None


class GrokkingFigureParams(AxisParams):
    """The panel that compares experiments, a row each.

    Attributes:
        experiments: Names of the experiments, from the top row down.
        matrix: Name of the parameter whose singular values are shown.
        pair: Label of the pair of neighbours whose diagonal is shown.
    """

    experiments: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
    matrix: Label
    pair: Label


class SuiteFigureParams(Section):
    """How one suite is drawn.

    Attributes:
        scale: Of the axis of steps: linear, log, or auto for log where half of the steps are in
            its first tenth.
        matrix: Name of the matrix whose singular values are shown; None means the middle one by
            depth.
    """

    scale: Literal["auto", "linear", "log"] = "auto"
    matrix: Label | None = None


class FiguresParams(Section):
    """What is drawn, and how.

    Attributes:
        dpi: Dots per inch; figures are 9 inches wide.
        experiments: Experiments that are not drawn with the defaults of ExperimentFigureParams.
        grokking: The panel that compares experiments; None means that there is none.
        problems: Experiments that stand side by side, a column each, in figures of spectra,
            pruning, alignment and agreement; none means that there are no such figures.
        suites: Suites that are not drawn with the defaults of SuiteFigureParams.
    """

    dpi: Annotated[int, Field(ge=50, le=260)] = 130
    experiments: dict[Name, ExperimentFigureParams] = Field(default_factory=dict)
    grokking: GrokkingFigureParams | None = None
    # more columns would not be legible
    problems: Annotated[tuple[Name, ...], Field(strict=False, max_length=6)] = ()
    suites: dict[Name, SuiteFigureParams] = Field(default_factory=dict)

    def of(self, experiment: str) -> ExperimentFigureParams:
        """Return how an experiment is drawn, by the defaults where nothing is said of it."""
        return self.experiments.get(experiment, ExperimentFigureParams())

    @property
    def named(self) -> set[str]:
        """The experiments that the section names."""
        panel = self.grokking.experiments if self.grokking else ()
        return {*self.experiments, *panel, *self.problems}

    def panel_of(self, experiment: str) -> GrokkingFigureParams | None:
        """Return the panel that an experiment is in, if it is in one."""
        panel = self.grokking
        return panel if panel is not None and experiment in panel.experiments else None


def chosen_matrix(params: FiguresParams, experiment: str, matrices: Sequence[str]) -> str:
    """Return the matrix that an experiment's own figures show.

    Args:
        params: The figures section.
        experiment: Name of the experiment.
        matrices: Parameter names of its matrices, in order of depth.

    Returns:
        The matrix that params name, or that of the panel, or the middle one.

    Raises:
        SpecflowError: If the named matrix is not one of `matrices`, or there are none.
    """
    named, panel = params.of(experiment).matrix, params.panel_of(experiment)
    if named is None and panel is not None:
        return _choose(panel.matrix, matrices, "figures.grokking.matrix")
    return _choose(named, matrices, f"figures.experiments.{experiment}.matrix")


def chosen_suite_matrix(named: str | None, suite: str, matrices: Sequence[str]) -> str:
    """Return the matrix whose singular values a suite's figure shows.

    Args:
        named: The matrix that params name, or None.
        suite: Name of the suite.
        matrices: Names of its matrices, in order of depth.

    Returns:
        The named matrix, or the middle one.

    Raises:
        SpecflowError: If the named matrix is not one of `matrices`, or there are none.
    """
    return _choose(named, matrices, f"figures.suites.{suite}.matrix")


def chosen_pair(params: FiguresParams, experiment: str, pairs: Sequence[str]) -> str:
    """Return the pair of neighbours that an experiment's own figures show.

    Args:
        params: The figures section.
        experiment: Name of the experiment.
        pairs: Labels of its pairs, in order of depth.

    Returns:
        The pair that params name, or that of the panel, or the middle one.

    Raises:
        SpecflowError: If the named pair is not one of `pairs`, or there are none.
    """
    named, panel = params.of(experiment).pair, params.panel_of(experiment)
    if named is None and panel is not None:
        return _choose(panel.pair, pairs, "figures.grokking.pair")
    return _choose(named, pairs, f"figures.experiments.{experiment}.pair")


def chosen_matrices(params: FiguresParams, experiment: str, matrices: Sequence[str]) -> list[str]:
    """Return every matrix of an experiment that some figure shows in full.

    Args:
        params: The figures section.
        experiment: Name of the experiment.
        matrices: Parameter names of its matrices, in order of depth.

    Returns:
        The matrix of its own figures, then that of the grokking panel if it is another.

    Raises:
        SpecflowError: If a named matrix is not one of `matrices`, or there are none.
    """
    chosen = [chosen_matrix(params, experiment, matrices)]
    if (panel := params.panel_of(experiment)) is not None:
        chosen.append(_choose(panel.matrix, matrices, "figures.grokking.matrix"))
    return _each_once(chosen)


def chosen_pairs(params: FiguresParams, experiment: str, pairs: Sequence[str]) -> list[str]:
    """Return every pair of neighbours of an experiment that some figure shows in full.

    Args:
        params: The figures section.
        experiment: Name of the experiment.
        pairs: Labels of its pairs, in order of depth.

    Returns:
        The pair of its own figures, then that of the grokking panel if it is another; none if the
        experiment has no pairs and none is named.

    Raises:
        SpecflowError: If a named pair is not one of `pairs`.
    """
    chosen = []
    if pairs or params.of(experiment).pair is not None:
        chosen.append(chosen_pair(params, experiment, pairs))
    if (panel := params.panel_of(experiment)) is not None:
        chosen.append(_choose(panel.pair, pairs, "figures.grokking.pair"))
    return _each_once(chosen)


def _choose(named: str | None, names: Sequence[str], path: str) -> str:
    if named is None and names:
        return names[len(names) // 2]
    if named is None or named not in names:
        raise SpecflowError(f"{path}: got {named!r}; expected one of {', '.join(names) or 'none'}")
    return named


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
