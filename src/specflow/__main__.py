"""The command line: plans, verdicts, and checkpoints made elsewhere."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from specflow import paths
from specflow.claims.scorecard import read_scorecard
from specflow.claims.table import markdown
from specflow.params.file import load_params
from specflow.stage import exit_on_error
from specflow.suite_results import Audit

if TYPE_CHECKING:
    from specflow.standalone import Reading

FLAGGED = 3
_STATUS = (
    f"Exit status: 0 if the audit has no flags, {FLAGGED} if it has, 1 on an error, 2 if the "
    "command line is wrong."
)


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
    _add_suite_commands(commands)
    chosen = parser.parse_args(arguments)
    with exit_on_error():
        chosen.command(chosen)


def _add_suite_commands(commands: "argparse._SubParsersAction") -> None:
    summary = "write tables, figures and a page of checkpoints made elsewhere"
    analyze = commands.add_parser("analyze", help=summary, description=f"{summary}. {_STATUS}")
    _add_reading(analyze)
    help_text = "folder of all that is written; started again, a killed analysis goes on"
    analyze.add_argument("-o", "--output", type=Path, required=True, help=help_text)
    analyze.set_defaults(command=_analyze)
    summary = "tell whether checkpoints made elsewhere are what they claim to be"
    audit = commands.add_parser("audit", help=summary, description=f"{summary}. {_STATUS}")
    _add_reading(audit)
    audit.set_defaults(command=_audit)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    help_text = "file, folder of a checkpoint, or pattern; a trajectory has all its steps"
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help=help_text)
    help_text = "regular expression with one group, the step, that is searched in each path"
    parser.add_argument("--step-from", metavar="REGEX", help=help_text)
    help_text = "where the weights are in a PyTorch checkpoint, with dots"
    parser.add_argument("--key", help=help_text)
    help_text = "naming of the architecture: auto, gpt_neox, gpt2, llama, torch or none"
    parser.add_argument("--layout", default="auto", help=f"{help_text} (default: %(default)s)")
    help_text = "attention heads of a block, where the layout needs them"
    parser.add_argument("--num-heads", type=int, help=help_text)
    help_text = "pattern of tensors or matrices that are analysed; may be given again"
    parser.add_argument("--include", action="append", metavar="PATTERN", help=help_text)
    help_text = "pattern of those that are not; may be given again"
    parser.add_argument("--exclude", action="append", metavar="PATTERN", help=help_text)
    help_text = (
        "pattern of tensors whose inputs come first (transposed convolutions); may be given again; "
        "those of trajectories are known"
    )
    parser.add_argument("--transposed", action="append", metavar="PATTERN", help=help_text)


def _plan(chosen: argparse.Namespace) -> None:
    params = load_params(chosen.params)
    from specflow.plan import plan_table  # here, since it imports torch

    print(plan_table(params))


def _analyze(chosen: argparse.Namespace) -> None:
    from specflow.standalone import analyze_checkpoints

    audit = analyze_checkpoints(chosen.checkpoints, _reading(chosen), chosen.output)
    print(f"page: {chosen.output / 'index.html'}")
    _end_by(audit)


def _audit(chosen: argparse.Namespace) -> None:
    from specflow.standalone import audit_checkpoints

    _end_by(audit_checkpoints(chosen.checkpoints, _reading(chosen)))


def _reading(chosen: argparse.Namespace) -> "Reading":
    from specflow.standalone import Reading  # here, since it imports torch

    return Reading(
        step_from=chosen.step_from,
        key=chosen.key,
        layout=chosen.layout,
        num_heads=chosen.num_heads,
        include=tuple(chosen.include or ("*",)),
        exclude=tuple(chosen.exclude or ()),
        transposed=tuple(chosen.transposed or ()),
    )


def _end_by(audit: Audit) -> None:
    """Print the flags, and end with `FLAGGED` if there are any."""
    for flag in audit.flags:
        print(f"step {flag.step}: {flag.flag}: {flag.matrix}: {flag.evidence}")
    if audit.flags:
        sys.exit(FLAGGED)
    print(f"no flags: {len(audit.steps)} steps, {len(audit.changes)} matrices")


def _scorecard(chosen: argparse.Namespace) -> None:
    print(markdown(read_scorecard(chosen.claims)), end="")


if __name__ == "__main__":
    main()
