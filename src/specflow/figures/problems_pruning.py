"""Losses with SVD pruning of several problems side by side (figure 4 of the paper)."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from specflow.figures.columns import column_titles
from specflow.figures.curves import draw_curve, joined, scale_ordinate
from specflow.figures.losses import (
    SPLITS,
    pruning_note,
    variant_curves,
    variant_keys,
    variants_of,
)
from specflow.figures.style import new_figure
from specflow.figures.timeline import Timeline
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables


def draw_problems_pruning(
    tables: Tables, experiments: Sequence[str], params: FiguresParams
) -> Figure:
    """Draw training loss above validation loss, of the full model and after pruning.

    Mean and one standard deviation over seeds.

    Args:
        tables: history and pruning are read.
        experiments: A column each; both panels of one have the same vertical axis.
        params: The figures section.

    Returns:
        The figure.
    """
    figure = new_figure(height=5.4)
    panels = figure.subplots(len(SPLITS), len(experiments), sharey="col", squeeze=False)
    pruning = [tables["pruning"].where(experiment=name) for name in experiments]
    variants = variants_of(*pruning)
    titles = column_titles([(name,) for name in experiments])
    for column, name, pruned, title in zip(panels.T, experiments, pruning, titles, strict=True):
        history = tables["history"].where(experiment=name)
        timeline = Timeline.of(params.of(name))
        curves = [
            variant_curves(history, pruned, variants, timeline, split=split, metric="loss")
            for split in SPLITS
        ]
        everything = curves[0] + curves[1]
        scale_ordinate(column[0], everything)
        for axes, own in zip(column, curves, strict=True):
            for variant, measured in zip(variants, own, strict=True):
                draw_curve(axes, measured, **variant.line)
            timeline.apply(axes, joined(everything), None if axes is column[-1] else "")
        column[0].set_title(title)
    for axes, split in zip(panels[:, 0], SPLITS, strict=True):
        axes.set_ylabel(f"{split} loss")
    figure.legend(
        handles=variant_keys(variants),
        title=pruning_note(variants),
        loc="outside lower center",
        ncols=3,
    )
    figure.suptitle("Losses with SVD pruning: mean and one standard deviation over seeds")
    return figure
