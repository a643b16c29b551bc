"""The pages and their generated parts.

A part stands between the comments `<!-- generated: NAME -->` and `<!-- end -->`; what is outside of
these is written by hand.
"""

import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

from ruamel.yaml import YAML

import specflow
from specflow import checkpoints, interventions, measure, paths, spectra
from specflow.claims.claim import all_claims
from specflow.claims.scorecard import Verdict, read_scorecard
from specflow.docs.markdown import escaped, parts_of, reference, table
from specflow.docs.params import params
from specflow.figures.registry import kinds
from specflow.figures.subjects import Of

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages_of(root: Path) -> list[Path]:
    """Return README.md and the pages of docs/ in a folder."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def filled(text: str) -> str:
    """Return a page with every generated part made anew, from the project in the working folder.

    Raises:
        KeyError: If a part has a name that is not in `PARTS`.
    """
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


def _modules_in(*packages: ModuleType) -> Iterator[ModuleType]:
    for package in packages:
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield import_module(info.name)


def _tree() -> str:
    """Return the packages of the library, each with the first line of what it says of itself."""
    packages = [found.name for found in pkgutil.iter_modules(specflow.__path__) if found.ispkg]
    docs = {name: import_module(f"{specflow.__name__}.{name}").__doc__ or "" for name in packages}
    lines = (f"  {name + '/':<15} {doc.splitlines()[0]}" for name, doc in docs.items())
    return "\n".join(["```", "src/specflow/", *lines, "```"])


def _scorecard() -> str:
    """Return of how many subjects each claim holds, and does not."""
    rows = []
    for name, judged in read_scorecard(paths.CLAIMS).items():
        verdicts = (str(judged.counts[verdict] or "") for verdict in get_args(Verdict))
        rows.append((f"[{judged.claim}](docs/claims.md#{name})", *verdicts))
    return table(("claim", *get_args(Verdict)), rows)


def _quantities() -> str:
    always = [one for one in spectra.QUANTITIES.values() if one.family is None]
    return table(("quantity", "of the singular values S", "range", "source"), _rows_of(always))


def _on_demand() -> str:
    demanded = [one for one in spectra.QUANTITIES.values() if one.family is not None]
    rows = [
        (*row, f"`{one.family}`") for row, one in zip(_rows_of(demanded), demanded, strict=True)
    ]
    return table(("quantity", "what it is", "range", "source", "`more`"), rows)


def _rows_of(quantities: Iterable[spectra.Quantity]) -> list[tuple[str, ...]]:
    return [
        (
            ", ".join((f"`{one.name}`", *(f"setting `{name}`" for name in one.settings))),
            escaped(one.formula),
            " to ".join(map(_bound, one.range)),
            f"[{one.cite}]({one.url})",
        )
        for one in quantities
    ]


def _bound(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}".replace("inf", "∞")


def _functions() -> str:
    """Return all of `specflow.spectra` but quantities and what registers them."""
    left_out = {*spectra.QUANTITIES, "quantity", "Quantity"}
    return reference(
        getattr(spectra, name)
        for name in spectra.__all__
        if name not in left_out and hasattr(getattr(spectra, name), "__qualname__")
    )


def _changes() -> str:
    """Return all functions and classes of `specflow.interventions`."""
    found = []
    for module in _modules_in(interventions):
        own = (one for name, one in vars(module).items() if not name.startswith("_"))
        found += [one for one in own if getattr(one, "__module__", "") == module.__name__]
    return reference(found)


def _claims() -> str:
    thresholds = YAML(typ="safe").load(paths.PARAMS)["claims"]["thresholds"]
    found = []
    for name, claim in all_claims().items():
        lines = {
            "Statistic": claim.statistic,
            "Measured": parts_of(claim.measure)[""],
            "Holds": _limits(claim.holds, thresholds[name]),
            "Needs": claim.subjects.needs,
            "The paper": claim.paper,
        }
        items = (f"- {head}: {escaped(' '.join(said.split()))}" for head, said in lines.items())
        found.append("\n".join([f"### {name}", "", f"**{claim.text}**", "", *items]))
    return "\n\n".join(found)


def _limits(sign: str, threshold: float | Mapping[str, float]) -> str:
    if not isinstance(threshold, Mapping):
        return f"`{sign} {threshold:g}`"
    return " and ".join(f"{name} `{sign} {one:g}`" for name, one in threshold.items())


def _figures() -> str:
    order = get_args(Of)
    rows = [
        (
            f"`{name}`",
            ", ".join(kind.of),
            escaped(f"{kind.title}. {kind.caption}"),
            ", ".join(f"[{claim}](claims.md#{claim})" for claim in kind.claims),
        )
        for name, kind in sorted(kinds().items(), key=lambda item: order.index(item[1].of[0]))
    ]
    return table(("kind", "of", "shows", "claims"), rows)


def _layouts() -> str:
    """Return what docstrings say of the files that their modules write."""
    found = []
    for module in _modules_in(checkpoints, measure):
        _, head, layout = (module.__doc__ or "").partition("\nLayout")
        if head:
            name = module.__name__.removeprefix(f"{specflow.__name__}.")
            found.append(f"`{name}`\n\n```{head}{layout.rstrip()}\n```")
    return "\n\n".join(found)


_MAKERS = (
    *(
        _tree,
        _scorecard,
        _quantities,
        _on_demand,
        _functions,
        _changes,
        _claims,
        _figures,
        _layouts,
    ),
    params,
)
PARTS = {make.__name__.removeprefix("_"): make for make in _MAKERS}
