"""Draw every figure from the tables, and write down which there are."""

from specflow import paths
from specflow.figures.draw import draw_all
from specflow.figures.index import write_index
from specflow.params.figures import FiguresParams
from specflow.params.resolve import read_config
from specflow.stage import run_stage


def main() -> None:
    """Draw what the tables hold, as params.yaml says."""
    params = read_config(paths.FIGURES_CONFIG, FiguresParams)
    write_index(paths.FIGURES_INDEX, draw_all(paths.TABLES, paths.FIGURES, params))


if __name__ == "__main__":
    run_stage(main)
