"""The page of all results, and that of one set of checkpoints analysed on its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from pydantic import TypeAdapter, ValidationError

from specflow import paths
from specflow.claims.scorecard import read_scorecard
from specflow.errors import SpecflowError
from specflow.figures.index import FigureEntry
from specflow.frames import Tables
from specflow.report.numbers import interval_of, number, value_of
from specflow.report.subjects import Config, Subject, Summary, checkpoints_of, flat, subjects_of
from specflow.report.view import ABSENT, OTHERS, View, images_of
from specflow.textfiles import write_text

_Content = TypeVar("_Content")


def write_report() -> None:
    """Write the page of all results.

    Raises:
        SpecflowError: If a result is missing or broken, or the page cannot be written.
    """
    config = _read(paths.CONFIG, TypeAdapter(Config), "resolve")
    summary = _read(paths.SUMMARY, TypeAdapter(Summary), "collect")
    entries = _read(paths.FIGURES_INDEX, TypeAdapter(list[FigureEntry]), "figures")
    view = View(
        subjects=[*subjects_of(config, summary, Tables(paths.TABLES))],
        entries=entries,
        images=images_of(entries, paths.FIGURES, paths.REPORT),
        claims=read_scorecard(paths.CLAIMS),
    )
    write_text(paths.REPORT, _html(view, interval=f"{100 * config.confidence:g}% interval"))


def write_checkpoints_page(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    entries: Sequence[FigureEntry],
    notes: Sequence[str],
    skipped: Mapping[str, str],
) -> None:
    """Write index.html of checkpoints that were analysed on their own.

    Args:
        folder: Where their tables and figures lie, and the page will.
        name: What the checkpoints are called.
        settings: How they were read and measured.
        entries: Their figures.
        notes: What could not be declared of their layout, a sentence each.
        skipped: Tensors that were not analysed, with the reason.

    Raises:
        SpecflowError: If a table or a figure is missing or broken, or the page cannot be written.
    """
    page = folder / "index.html"
    measured = checkpoints_of(Tables(folder / "tables"), name)
    subject = Subject(
        "checkpoints", name, {"analyze": flat(settings)}, notes=notes, skipped=skipped, **measured
    )
    view = View([subject], entries, images_of(entries, folder / "figures", page), claims={})
    write_text(page, _html(view, alone=subject))


def _read(path: Path, content: TypeAdapter[_Content], stage: str) -> _Content:
    if not path.is_file():
        raise SpecflowError(f"there is no file {path}; `dvc repro {stage}` writes it")
    try:
        return content.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        raise SpecflowError(
            f"{path}: {place}: got {first['input']!r}; {first['msg']}; "
            f"`dvc repro -f {stage}` writes it anew"
        ) from error


def _html(view: View, *, interval: str = "", alone: Subject | None = None) -> str:
    """Return a page: `interval` is what those of claims are called, `alone` the only subject."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specflow.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"value": value_of, "interval": interval_of, "number": number}
    page = environment.get_template("page.html.j2")
    return page.render(view=view, interval=interval, alone=alone, others=OTHERS, absent=ABSENT)
