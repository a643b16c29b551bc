"""The command line: the graph, plans, verdicts, and checkpoints made elsewhere."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import specflow
from specflow import paths
from specflow.cli.reading import add_checkpoints, add_reading, options_of
from specflow.errors import SpecflowError, printable
from specflow.stage import exit_on_error

if TYPE_CHECKING:  # what commands use is imported when one is run: most of it is heavy
    from specflow.audit.findings import Audit

FLAGGED = 3
_PAGE = Path("build", "report.html")
_STATUS = (
    f"Exit status: 0 if the audit has no flags, {FLAGGED} if it has, 1 on an error, 2 if the "
    "command line is wrong."
)
_COMPARED = (
    "Exit status: 0 if the two were compared, identical or not, 1 on an error, 2 if the command "
    "line is wrong."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of these words; None means those of this process's command line."""
    parser = argparse.ArgumentParser(prog="specflow", description=specflow.__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {specflow.__version__}")
    _add_commands(parser.add_subparsers(required=True, metavar="command"))
    chosen, unknown = parser.parse_known_args(arguments)
    if unknown:
        chosen.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    with exit_on_error():
        chosen.command(chosen)


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    def add(command: Callable[[Any], None], summary: str, note: str = "") -> Any:
        name = command.__name__.removeprefix("_")
        parser = commands.add_parser(name, help=summary, description=f"{summary}{note}")
        parser.set_defaults(command=command, parser=parser)
        return parser

    repro = add(_repro, "run what has changed of the graph, stages side by side")
    help_text = "a stage, train@grokking, or a group of stages, train (default: all)"
    repro.add_argument("targets", nargs="*", metavar="TARGET", help=help_text)
    help_text = "stages side by side (default: one a core, one on a GPU, 16 on a cluster)"
    repro.add_argument("-j", "--jobs", type=_count, metavar="N", help=help_text)

    summary = "drop damaged results, here and from DVC's cache, so that they are made anew"
    forget = add(_forget, summary)
    help_text = "a file or folder in an output of a stage"
    forget.add_argument("places", nargs="+", type=Path, metavar="RESULT", help=help_text)

    plan = add(_plan, "print what every experiment and connection takes: steps, FLOPs, disk")
    help_text = "the file that declares them (default: %(default)s)"
    plan.add_argument("params", nargs="?", type=Path, default=paths.PARAMS, help=help_text)
    help_text = "also print the wall time where so many members (seeds, branches) run side by side"
    plan.add_argument("--slots", type=_count, metavar="N", help=help_text)
    help_text = "of these, stages side by side (default: all that are ready)"
    plan.add_argument("-j", "--jobs", type=_count, metavar="N", help=help_text)
    help_text = "what a slot computes on (default: cpu, or what the cluster has)"
    plan.add_argument("--device", choices=("cpu", "cuda"), help=help_text)
    help_text = "a cluster.yaml, whose slots and devices these are"
    plan.add_argument("--cluster", type=Path, metavar="FILE", help=help_text)

    summary = "run one small member on the cluster of SPECFLOW_CLUSTER, and tell what it met"
    cluster = add(_cluster, summary)
    cluster.add_argument("action", choices=("check",), help="what to do")

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

    summary = "write tables, figures and a page of checkpoints made elsewhere, or of spectra"
    analyze = add(_analyze, summary, f". {_STATUS} Of spectra there is no audit.")
    add_checkpoints(analyze)
    help_text = "folder of all that is written; started again, a killed analysis goes on"
    analyze.add_argument("-o", "--output", type=Path, required=True, help=help_text)
    help_text = "leave out permuted entries, power laws, changes between steps, products of heads"
    analyze.add_argument("--quick", action="store_true", help=help_text)

    page = add(_page, "write tables, figures and a page of a file of spectra, one that grows too")
    help_text = "the file, of `specflow.watch` or of an analysis"
    page.add_argument("spectra", type=Path, help=help_text)
    help_text = "folder of all that is written (default: that of the file, with its name)"
    page.add_argument("-o", "--output", type=Path, help=help_text)
    help_text = "write it again when the file has grown, until Ctrl-C"
    page.add_argument("--follow", action="store_true", help=help_text)

    summary = "tell whether checkpoints made elsewhere are what they claim to be"
    audit = add(_audit, summary, f". {_STATUS}")
    add_checkpoints(audit)
    help_text = "compare files by the hashes that a hub publishes (hf://...); no weight is read"
    audit.add_argument("--hashes-only", action="store_true", help=help_text)

    summary = "tell what sets two models of one network apart: what moved, how far, of what rank"
    compare = add(_compare, summary, f". {_COMPARED}")
    help_text = "file, folder or pattern; of several steps the last, or STEP=PATH"
    for name in ("A", "B"):
        compare.add_argument(name.lower(), metavar=name, help=help_text)
    add_reading(compare)
    help_text = "show all matrices, not the 20 that moved most alone"
    compare.add_argument("--all", action="store_true", help=help_text)
    help_text = "folder for tables, figures and a page in one file, to send"
    compare.add_argument("-o", "--output", type=Path, help=help_text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number from 1")
    return int(text)


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

    if chosen.slots is None and chosen.cluster is None:
        print(plan_table(params))
        return
    from specflow.plan.wall_time import Slots, wall_time_table
    from specflow.repro import HISTORY
    from specflow.schedule import History

    slots = Slots.of(chosen.cluster, chosen.slots, chosen.jobs, chosen.device)
    print(plan_table(params), wall_time_table(params, History.read(HISTORY), slots), sep="\n\n")


def _cluster(chosen: argparse.Namespace) -> None:
    from specflow.executor.slurm.check import check_cluster

    print(check_cluster())


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
    from specflow.analysis import QUICK, SPECTRA, analyze_to
    from specflow.analysis.spectra_file import UNAUDITED

    spectra = QUICK if chosen.quick else SPECTRA
    audit, _ = analyze_to(chosen.checkpoints, options_of(chosen), chosen.output, spectra)
    print(f"page: {chosen.output / 'index.html'}")
    if audit is None:
        print(f"note: {UNAUDITED}")
    else:
        _end_by(audit)


def _page(chosen: argparse.Namespace) -> None:
    from specflow.analysis.spectra_file import write_pages

    waits = False
    for page in write_pages(chosen.spectra, chosen.output or chosen.spectra.with_suffix("")):
        if page is None and not chosen.follow:
            told = f"{chosen.spectra}: no step is measured yet"
            raise SpecflowError(f"{told}; with --follow the page waits for the first")
        if page or not waits:
            print(f"page: {page or 'waits for the first step to be measured'}", flush=True)
        waits = page is None
        if not chosen.follow:
            return


def _audit(chosen: argparse.Namespace) -> None:
    from specflow.analysis import audit

    found = audit(chosen.checkpoints, options_of(chosen), hashes_only=chosen.hashes_only)
    _end_by(found, "hashes of files, no weight" if chosen.hashes_only else "")


def _compare(chosen: argparse.Namespace) -> None:
    from specflow.analysis.comparison import compare_models, text_of

    found = compare_models(chosen.a, chosen.b, options_of(chosen), chosen.output)
    print(text_of(found, every=chosen.all))
    if chosen.output is not None:
        print(f"\npage: {chosen.output / 'index.html'}")


def _end_by(audit: "Audit", compared: str = "") -> None:
    """Print what was analysed, notes and flags; end with `FLAGGED` if there are any of these."""
    from specflow.audit.grouping import in_groups

    found = in_groups((one.step, one.tensor, one.flag, one.evidence) for one in audit.flags)
    flags = (f"step {step}: {flag}: {tensor}: {evidence}" for step, tensor, flag, evidence in found)
    notes = (f"note: {note}" for note in audit.notes)
    for line in (*audit.analysed, *notes, *flags):
        print(printable(line))
    if audit.flags:
        sys.exit(FLAGGED)
    from specflow.errors import number_of

    what = compared or number_of(audit.tensors, "tensor")
    print(f"no flags: {number_of(len(audit.steps), 'step')}, {what}")
