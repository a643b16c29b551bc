"""Draw every figure from the tables, and write down which there are."""

from specflow import paths
from specflow.config.settings import ALL, read_settings
from specflow.executor import num_workers
from specflow.figures.draw import draw_all
from specflow.figures.index import write_index
from specflow.figures.section import FiguresSettings


def main() -> None:
    """Draw what the tables hold, as params.yaml says."""
    settings, _ = read_settings("figures", ALL, FiguresSettings)
    figures, groups = settings.figures, settings.groups
    drawn = draw_all(paths.TABLES, paths.FIGURES, figures, groups, workers=num_workers())
    write_index(paths.FIGURES_INDEX, drawn)
