"""Draw every figure from the tables."""

from specflow import paths
from specflow.executor import num_workers
from specflow.figures.draw import draw_all
from specflow.params.figures import FiguresParams
from specflow.params.groups import Groups
from specflow.params.resolve import read_config
from specflow.stage import run_stage


def main() -> None:
    """Draw what the tables hold, as params.yaml says."""
    params = read_config(paths.FIGURES_CONFIG, FiguresParams)
    groups = read_config(paths.GROUPS_CONFIG, Groups)
    draw_all(paths.TABLES, paths.FIGURES, params, groups, workers=num_workers())


if __name__ == "__main__":
    run_stage(main)
