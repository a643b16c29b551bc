"""Judge every claim by the tables."""

from specflow.config.resolved import read_settings

from specflow import paths
from specflow.claims.judge import JudgeSettings, judge
from specflow.claims.scorecard import write_scorecard
from specflow.frames import Tables
from specflow.stage import run_stage


def main() -> None:
    """Write the scorecard of what the tables hold, with the thresholds of params.yaml."""
    settings = read_settings("judge", "all", JudgeSettings)
    write_scorecard(paths.CLAIMS, judge(Tables(paths.TABLES), settings))


if __name__ == "__main__":
    run_stage(main)
