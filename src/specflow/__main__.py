"""The command line: what params.yaml asks of a machine, and what the results say of the claims."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from specflow import paths
from specflow.claims.scorecard import read_scorecard
from specflow.claims.table import markdown
from specflow.params.file import load_params
from specflow.stage import exit_on_error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        arguments: Words of the command line; None means those of this process.
    """
    parser = argparse.ArgumentParser(prog="python -m specflow")
    commands = parser.add_subparsers(required=True, metavar="command")
    summary = "print what every experiment and connection takes: steps, FLOPs, disk"
    plan = commands.add_parser("plan", help=summary, description=summary)
    help_text = "the file that declares them (default: %(default)s)"
    plan.add_argument("params", nargs="?", type=Path, default=paths.PARAMS, help=help_text)
    plan.set_defaults(command=_plan)
    summary = "print the verdicts on all claims as a table in Markdown"
    scorecard = commands.add_parser("scorecard", help=summary, description=summary)
    help_text = "the judged claims (default: %(default)s)"
    scorecard.add_argument("claims", nargs="?", type=Path, default=paths.CLAIMS, help=help_text)
    scorecard.set_defaults(command=_scorecard)
    chosen = parser.parse_args(arguments)
    with exit_on_error():
        chosen.command(chosen)


def _plan(chosen: argparse.Namespace) -> None:
    params = load_params(chosen.params)
    from specflow.plan import plan_table  # here, since it imports torch

    print(plan_table(params))


def _scorecard(chosen: argparse.Namespace) -> None:
    print(markdown(read_scorecard(chosen.claims)), end="")


if __name__ == "__main__":
    main()
