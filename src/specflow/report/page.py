"""The page of all results, and that of one set of checkpoints analysed on its own."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specflow import paths
from specflow.claims.scorecard import read_scorecard
from specflow.figures.index import FigureEntry, read_index
from specflow.frames import Tables
from specflow.json_files import read_json_as
from specflow.report.curves import panels_of
from specflow.report.pictures import Pictures, embedded, linked_from, pictures_of
from specflow.report.rendering import rendered
from specflow.report.sentences import sentences
from specflow.report.subjects import (
    Config,
    Metrics,
    Subject,
    checkpoints_of,
    flat,
    pairs_of,
    subjects_of,
)
from specflow.report.view import View
from specflow.textfiles import write_text

if TYPE_CHECKING:  # it imports torch
    from specflow.audit.findings import Audit

_NO_FACTS: Mapping[str, str] = {}


def write_report() -> None:
    """Write the page of all results.

    Raises:
        SpecflowError: If a result is missing or broken, or the page cannot be written.
    """
    source = linked_from(paths.REPORT)
    write_text(paths.REPORT, results_html(lambda found: pictures_of(found, paths.FIGURES, source)))


def results_html(
    pictures: Callable[[Sequence[FigureEntry]], Pictures], facts: Mapping[str, str] = _NO_FACTS
) -> str:
    """Return the page of all results.

    Args:
        pictures: Returns the pictures of all figures, as the page is to have them.
        facts: What else is to be told of these results, and how it is called.

    Raises:
        SpecflowError: If a result is missing or broken.
    """
    config = read_json_as(Config, paths.CONFIG, "resolve")
    summary = read_json_as(dict[str, dict[str, Metrics]], paths.SUMMARY, "collect")
    entries = read_index(paths.FIGURES_INDEX)
    view = View(
        subjects=[*subjects_of(config, summary, Tables(paths.TABLES))],
        entries=entries,
        pictures=pictures(entries),
        claims=read_scorecard(paths.CLAIMS),
    )
    seeds = {"seeds": ", ".join(map(str, config.seeds))} if config.seeds else {}
    interval = f"{100 * config.confidence:g}% interval"
    return rendered(
        "page.html.j2",
        view,
        found=sentences(view.claims),
        interval=interval,
        facts=seeds | dict(facts),
    )


def write_checkpoints_page(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    entries: Sequence[FigureEntry],
    audit: "Audit | None",
    analysed: Sequence[str] = (),
) -> None:
    """Write index.html of checkpoints that were analysed on their own, with its pictures inside.

    Args:
        folder: Where their tables and figures lie, and the page will.
        name: What the checkpoints are called.
        settings: How they were read and measured.
        entries: Their figures.
        audit: What their weights say; None of spectra alone.
        analysed: What was analysed, and where its structure is known from, a sentence each.

    Raises:
        SpecflowError: If a table or a figure is missing or broken, or the page cannot be written.
    """
    tables = Tables(folder / "tables")
    subject = Subject(
        "checkpoints",
        name,
        {"analyze": flat(settings)},
        panels=panels_of("checkpoints", name, tables),
        notes=audit.notes if audit else (),
        skipped=audit.skipped if audit else {},
        pairs=pairs_of(tables, name),
        told=audit.told if audit else "",
        **checkpoints_of(tables, name, is_audited=audit is not None),
    )
    view = View([subject], entries, embedded(entries, folder / "figures", exact=True), claims={})
    page = rendered(
        "checkpoints.html.j2",
        view,
        subject=subject,
        analysed=analysed,
        kept="spectra.h5" if audit else settings["spectra"],
    )
    write_text(folder / "index.html", page)
