"""Judge every claim by the tables."""

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.scorecard import scorecard_text
from specflow.claims.section import JudgeSettings
from specflow.config.settings import ALL, read_settings
from specflow.frames import Tables
from specflow.textfiles import write_text


def main() -> None:
    """Write the scorecard of what the tables hold, with the thresholds of params.yaml."""
    settings, _ = read_settings("judge", ALL, JudgeSettings)
    write_text(paths.CLAIMS, scorecard_text(judge(Tables(paths.TABLES), settings)))
