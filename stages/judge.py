"""Judge every claim by the tables."""

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.scorecard import write_scorecard
from specflow.params.claims import ClaimsParams
from specflow.params.groups import Groups
from specflow.params.resolve import read_config
from specflow.stage import run_stage


def main() -> None:
    """Write the scorecard of what the tables hold, with the thresholds of params.yaml."""
    params = read_config(paths.CLAIMS_CONFIG, ClaimsParams)
    groups = read_config(paths.GROUPS_CONFIG, Groups)
    write_scorecard(paths.CLAIMS, judge(paths.TABLES, params, groups))


if __name__ == "__main__":
    run_stage(main)
