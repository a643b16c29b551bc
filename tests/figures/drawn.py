"""Figures drawn from made-up tables, and what they show."""

from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.subjects import subjects
from specflow.frames import Tables, at_end, where
from specflow.studies.comparisons import Groups

# by name, as in a config file: not by weight decay
DECAYS = {"base": 0.1, "none": 0.0, "strong": 1.0}
ASCENDING = ("none", "base", "strong")
GROUPS = Groups.model_validate(
    {
        "weight_decay": {"base": {"base": "base", "weight_decays": DECAYS}},
        "labels": {"base": {"true_labels": "base", "random_labels": "none"}},
    }
)
RANK = "normalized_effective_rank"


def draw(kind: str, folder, of: str | None = None, place: int = 0, **settings) -> Figure:
    """Draw a figure of the first of its subjects, or that at a place."""
    tables, found, fig = Tables(folder), kinds()[kind], Figure(layout="constrained")
    section = FiguresParams.model_validate(settings)
    subject = subjects(of or found.of[0], tables, section, GROUPS)[place]
    found.draw(fig, tables, subject)
    return fig


def title_of(axes) -> str:
    return axes.get_title(loc="left") or axes.get_title()


def legend_of(fig, place: int = 0) -> list[str]:
    return [text.get_text() for text in fig.legends[place].get_texts()]


def colours_of(axes) -> list:
    return [line.get_color() for line in axes.lines]


def meshes_of(fig) -> list[QuadMesh]:
    """Heatmaps, without strips and colour bars."""
    return [
        one
        for axes in fig.axes
        for one in axes.collections
        if isinstance(one, QuadMesh) and axes.get_label() != "<colorbar>"
    ]


def final(folder, table: str, column: str, **rows) -> float:
    return at_end(where(Tables(folder)[table], **rows))[column].mean()
