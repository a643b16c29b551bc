"""Judge every claim by the tables, and write the metrics by which runs are compared."""

import json

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.metrics import headline_metrics
from specflow.claims.scorecard import write_scorecard
from specflow.claims.section import JudgeSettings
from specflow.config.settings import ALL, read_settings
from specflow.frames import Tables
from specflow.json_files import read_json
from specflow.textfiles import write_text


def main() -> None:
    """Write the scorecard of what the tables hold, with the thresholds of params.yaml."""
    settings, _ = read_settings("judge", ALL, JudgeSettings)
    summary = read_json(paths.SUMMARY, "collect")
    scorecard = judge(Tables(paths.TABLES), settings)
    write_scorecard(paths.CLAIMS, scorecard)
    write_text(paths.METRICS, json.dumps(headline_metrics(summary, scorecard), indent=1) + "\n")
