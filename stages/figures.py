"""Draw every figure from the tables, and write down which there are."""

from specflow import paths
from specflow.executor import num_workers
from specflow.figures.draw import draw_all
from specflow.figures.index import write_index
from specflow.params.figures import FiguresParams
from specflow.params.groups import Groups
from specflow.params.resolve import read_config
from specflow.stage import run_stage


def main() -> None:
    """Draw what the tables hold, as params.yaml says."""
    params = read_config(paths.FIGURES_CONFIG, FiguresParams)
    groups = read_config(paths.GROUPS_CONFIG, Groups)
    drawn = draw_all(paths.TABLES, paths.FIGURES, params, groups, workers=num_workers())
    write_index(paths.FIGURES_INDEX, drawn)


if __name__ == "__main__":
    run_stage(main)
