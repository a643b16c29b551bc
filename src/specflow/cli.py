"""The command line: the graph, plans, verdicts, and checkpoints made elsewhere."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import specflow
from specflow import paths
from specflow.errors import printable
from specflow.stage import exit_on_error

if TYPE_CHECKING:  # what commands use is imported when one is run: most of it is heavy
    from specflow.audit.findings import Audit

FLAGGED = 3
_PAGE = Path("build", "report.html")
_STATUS = (
    f"Exit status: 0 if the audit has no flags, {FLAGGED} if it has, 1 on an error, 2 if the "
    "command line is wrong."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of these words; None means those of this process's command line."""
    parser = argparse.ArgumentParser(prog="specflow", description=specflow.__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {specflow.__version__}")
    _add_commands(parser.add_subparsers(required=True, metavar="command"))
    chosen = parser.parse_args(arguments)
    with exit_on_error():
        chosen.command(chosen)


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    def add(command: Callable[[Any], None], summary: str, note: str = "") -> Any:
        name = command.__name__.removeprefix("_")
        parser = commands.add_parser(name, help=summary, description=f"{summary}{note}")
        parser.set_defaults(command=command)
        return parser

    repro = add(_repro, "run what has changed of the graph, stages side by side")
    help_text = "a stage, train@grokking, or a group of stages, train (default: all)"
    repro.add_argument("targets", nargs="*", metavar="TARGET", help=help_text)
    help_text = "stages side by side (default: as many as there are cores; one on a GPU)"
    repro.add_argument("-j", "--jobs", type=_count, metavar="N", help=help_text)

    summary = "drop damaged results, here and from DVC's cache, so that they are made anew"
    forget = add(_forget, summary)
    help_text = "a file or folder in an output of a stage"
    forget.add_argument("places", nargs="+", type=Path, metavar="RESULT", help=help_text)

    plan = add(_plan, "print what every experiment and connection takes: steps, FLOPs, disk")
    help_text = "the file that declares them (default: %(default)s)"
    plan.add_argument("params", nargs="?", type=Path, default=paths.PARAMS, help=help_text)

    scorecard = add(_scorecard, "print the verdicts on all claims as a table in Markdown")
    help_text = "the judged claims (default: %(default)s)"
    scorecard.add_argument("claims", nargs="?", type=Path, default=paths.CLAIMS, help=help_text)

    report = add(_report, "write the page of all results anew")
    help_text = "write it as one file with its pictures inside, to send (default: %(const)s)"
    report.add_argument(
        "--single-file", nargs="?", type=Path, const=_PAGE, metavar="FILE", help=help_text
    )

    schema = add(_schema, "print the JSON Schema of params.yaml")
    help_text = "the file to write it to, instead"
    schema.add_argument("-o", "--output", type=Path, metavar="FILE", help=help_text)

    summary = "write tables, figures and a page of checkpoints made elsewhere"
    analyze = add(_analyze, summary, f". {_STATUS}")
    _add_reading(analyze)
    help_text = "folder of all that is written; started again, a killed analysis goes on"
    analyze.add_argument("-o", "--output", type=Path, required=True, help=help_text)

    summary = "tell whether checkpoints made elsewhere are what they claim to be"
    _add_reading(add(_audit, summary, f". {_STATUS}"))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number from 1")
    return int(text)


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
    again: dict[str, Any] = {"action": "append", "default": [], "metavar": "PATTERN"}
    help_text = "pattern of tensors or matrices that are analysed; may be given again"
    parser.add_argument("--include", **again, help=help_text)
    help_text = "pattern of those that are not; may be given again"
    parser.add_argument("--exclude", **again, help=help_text)
    help_text = (
        "pattern of tensors whose inputs come first (transposed convolutions); may be given again; "
        "those of trajectories are known"
    )
    parser.add_argument("--transposed", **again, help=help_text)


def _repro(chosen: argparse.Namespace) -> None:
    from specflow.repro import repro

    repro(chosen.targets, chosen.jobs)


def _forget(chosen: argparse.Namespace) -> None:
    from specflow.graph import forget

    forget(chosen.places)
    print("dropped; `dvc repro` or `specflow repro` makes it again")


def _plan(chosen: argparse.Namespace) -> None:
    from specflow.config.params import load_params

    params = load_params(chosen.params)  # a faulty file is told of before torch is imported
    from specflow.plan.table import plan_table

    print(plan_table(params))


def _scorecard(chosen: argparse.Namespace) -> None:
    from specflow.claims.scorecard import markdown, read_scorecard

    print(markdown(read_scorecard(chosen.claims)), end="")


def _report(chosen: argparse.Namespace) -> None:
    if chosen.single_file is None:
        from specflow.report.page import write_report

        write_report()
    else:
        from specflow.report.single_file import write_single_file

        write_single_file(chosen.single_file)
    print(f"page: {chosen.single_file or paths.REPORT}")


def _schema(chosen: argparse.Namespace) -> None:
    from specflow.config.schema import schema_text
    from specflow.textfiles import write_text

    if chosen.output is None:
        print(schema_text(), end="")
    else:
        write_text(chosen.output, schema_text())


def _analyze(chosen: argparse.Namespace) -> None:
    from specflow.analysis import analyze_to

    audit, _ = analyze_to(chosen.checkpoints, _options(chosen), chosen.output)
    print(f"page: {chosen.output / 'index.html'}")
    _end_by(audit)


def _audit(chosen: argparse.Namespace) -> None:
    from specflow.analysis import audit

    _end_by(audit(chosen.checkpoints, _options(chosen)))


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return how checkpoints are read, as in `ReadingParams`."""
    names = ("step_from", "key", "layout", "num_heads", "include", "exclude", "transposed")
    return {name: getattr(chosen, name) for name in names} | {"include": chosen.include or ["*"]}


def _end_by(audit: "Audit") -> None:
    """Print the flags, and end with `FLAGGED` if there are any."""
    from specflow.wiring.names import some_of

    for flag in audit.flags:
        print(printable(f"step {flag.step}: {flag.flag}: {flag.tensor}: {flag.evidence}"))
    if audit.frozen:
        names = some_of(audit.frozen, 3)
        print(printable(f"frozen at all steps: {len(audit.frozen)} tensors: {names}"))
    if audit.flags:
        sys.exit(FLAGGED)
    print(f"no flags: {len(audit.steps)} steps, {audit.tensors} tensors")
