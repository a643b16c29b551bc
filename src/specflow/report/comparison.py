"""The page of two models that were compared: one file, to be sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from specflow.figures.index import FigureEntry
from specflow.report.numbers import number
from specflow.report.pictures import embedded
from specflow.report.rendering import rendered
from specflow.report.subjects import Subject, flat
from specflow.report.view import View
from specflow.studies.two_models import TwoModels, share
from specflow.textfiles import write_text

_SHARES = ("relative_change", "median_change", "most_change")
_NAMED = {"rank_difference": "rank of B - A", "rounding": "rounding level"}
_ENDINGS = {"_a": " of A", "_b": " of B", "_difference": " of B - A"}


def write_comparison_page(
    folder: Path, found: TwoModels, settings: Mapping[str, Any], entries: Sequence[FigureEntry]
) -> None:
    """Write index.html of two models, with its pictures inside.

    Args:
        folder: Where their tables and figures lie, and the page will.
        found: What sets them apart.
        settings: How they were read.
        entries: Their figures.

    Raises:
        SpecflowError: If a figure is missing or broken, or the page cannot be written.
    """
    subject = Subject("comparisons", found.name, {"compare": flat(settings)})
    pictures = embedded(entries, folder / "figures", exact=True)
    matrices = found.matrices.set_index("label").drop(columns=["role", "depth"])
    page = rendered(
        "comparison.html.j2",
        View([subject], entries, pictures, claims={}),
        subject=subject,
        found=found,
        matrices=_as_text(matrices.rename_axis("label")),
        summaries=[_as_text(one) for one in (found.by_role, found.by_depth) if len(one) > 1],
        rest=_rest(found),
    )
    write_text(folder / "index.html", page)


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as a reader wants them, below what people call them."""
    text = {
        _words(str(name)): [
            _cell(str(name), value) if isinstance(value, float | int) else str(value)
            for value in table[name]
        ]
        for name in table
    }
    return pd.DataFrame(text, index=table.index.astype(str))


def _cell(name: str, value: float) -> str:
    if name in _SHARES and pd.notna(value):
        return share(value)
    return str(value) if isinstance(value, int) else number(value)


def _words(name: str) -> str:
    if name in _NAMED:
        return _NAMED[name]
    for ending, words in _ENDINGS.items():
        name = name.removesuffix(ending) + words if name.endswith(ending) else name
    return name.replace("_", " ")


def _rest(found: TwoModels) -> pd.DataFrame:
    """Return the tensors that are not compared as matrices, or have another status than changed."""
    compared = {matrix.view.tensor for matrix in found.comparison.matrices}
    table = found.tensors[~found.tensors["tensor"].isin(compared)]
    return table.set_index("tensor").rename(columns=lambda name: _words(str(name)))
