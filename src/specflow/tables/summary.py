"""The metrics file: final quantities of every experiment, mean and std over seeds, for DVC."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from specflow.params.resolve import CollectedConnection, CollectParams
from specflow.tables.reading import Table, Tables

_FITTED = 0.01  # share of wrong answers under which a part counts as fitted


def summarize(tables: Tables, params: CollectParams) -> dict[str, Any]:
    """Return the metrics file's content, computed from the tables alone.

    Args:
        tables: The written tables.
        params: Names of experiments, connections, tickets and suites.

    Returns:
        Nested by experiments, connections, tickets or suites, name, quantity, then mean and std
        (None where a quantity is not defined for every seed; of suites over matrices or pairs).
    """
    return {
        "experiments": {name: _experiment(tables, name) for name in params.experiments},
        "connections": {
            name: _connection(tables, entry) for name, entry in params.connections.items()
        },
        "tickets": {
            name: _ticket(tables, name, entry.experiment) for name, entry in params.tickets.items()
        },
        "suites": {name: _suite(tables, name) for name in params.suites},
    }


def _experiment(tables: Tables, name: str) -> dict[str, Any]:
    history = tables["history"].where(experiment=name)
    spectra = tables["spectra"].where(experiment=name)
    alignment = tables["alignment"].where(experiment=name)
    last = history.numbers("step").max()
    steps = spectra.numbers("step")
    half = steps[steps <= last / 2].max()
    rank = "normalized_effective_rank"
    return {
        **_metrics(history.where(step=last)),
        **_first_fits(history),
        rank: _over_seeds(spectra.where(step=last), rank),
        f"{rank}_at_start": _over_seeds(spectra.where(step=0), rank),
        "frobenius_norm": _over_seeds(spectra.where(step=last), "frobenius_norm"),
        "agreement_score_halfway": _over_seeds(spectra.where(step=half), "agreement_score"),
        "alignment_score": _over_seeds(alignment.where(step=last), "alignment_score"),
        "pruned": _pruned(tables["pruning"].where(experiment=name, step=last)),
    }


def _metrics(table: Table) -> dict[str, Any]:
    return {
        f"{split}/{metric}": _over_seeds(table.where(split=split, metric=metric), "value")
        for split in table.distinct("split")
        for metric in table.distinct("metric")
    }


def _first_fits(history: Table) -> dict[str, Any]:
    """Return the first kept step at which at most 1% of the answers are wrong."""
    errors = history.where(metric="error")

    def first(table: Table) -> float:
        steps = table.numbers("step")[table.numbers("value") <= _FITTED]
        return float(steps.min()) if len(steps) else np.nan

    return {
        f"{split}/first_step_at_99_percent": _spread(
            _each(errors.where(split=split), ["seed"], first)
        )
        for split in errors.distinct("split")
    }


def _pruned(table: Table) -> dict[str, Any]:
    return {
        f"{keep}_{fraction:g}": _metrics(table.where(keep=keep, keep_fraction=fraction))
        for keep in ("top", "bottom")
        for fraction in np.unique(table.where(keep=keep).numbers("keep_fraction")).tolist()
    }


def _connection(tables: Tables, entry: CollectedConnection) -> dict[str, Any]:
    tables_of_ends = [
        tables[name].where(connection=entry.connection) for name in ("barriers", "end_agreement")
    ]

    def quantities(**group: str | float) -> dict[str, Any]:
        return _ends(*(table.where(**group) for table in tables_of_ends))

    steps = entry.split_steps
    found = {f"split_{step}": quantities(relation="within", split_step=step) for step in steps}
    if entry.across_trunks:
        for step in steps:
            found[f"across_split_{step}"] = quantities(relation="across", split_step=step)
    scales = tables_of_ends[0].where(relation="perturbed").numbers("scale")
    for scale in np.unique(scales).tolist():
        found[f"perturbed_{scale:g}"] = quantities(relation="perturbed", scale=scale)
    return found


def _ends(barriers: Table, agreement: Table) -> dict[str, Any]:
    lines = ["trunks", "branches"]
    full = barriers.where(keep="full")
    return {
        **{
            f"{split}/{metric}_barrier": _over(
                full.where(split=split, metric=metric), "barrier", lines
            )
            for split in full.distinct("split")
            for metric in full.distinct("metric")
        },
        "agreement_score": _over(agreement, "agreement_score", lines),
    }


def _ticket(tables: Tables, name: str, experiment: str) -> dict[str, Any]:
    history = tables["ticket_history"].where(ticket=name)
    masks = tables["ticket_masks"].where(ticket=name)
    last = history.numbers("step").max()
    spectra = tables["ticket_spectra"].where(ticket=name, step=last)
    matrices = tables["matrices"].where(experiment=experiment)
    entries = matrices.numbers("rows") * matrices.numbers("columns")
    sizes = dict(zip(matrices.column("matrix").tolist(), entries.tolist(), strict=True))

    def density(rows: Table) -> float:
        weights = [sizes[matrix] for matrix in rows.column("matrix").tolist()]
        share = np.average(rows.numbers("density"), weights=weights)
        return float(f"{share:.4g}")  # the table has five digits, so that seeds differ in the fifth

    return {
        **_metrics(history.where(step=last)),
        "density": _spread(_each(masks, ["seed"], density)),
        "masked_agreement_score": _over_seeds(masks, "masked_agreement_score"),
        "agreement_score": _over_seeds(spectra, "agreement_score"),
    }


def _suite(tables: Tables, name: str) -> dict[str, Any]:
    """Return quantities of the last step, mean and std over matrices or pairs."""
    spectra = tables["suite_spectra"].where(suite=name)
    alignment = tables["suite_alignment"].where(suite=name)
    steps = np.unique(spectra.numbers("step"))
    first, last = float(steps[0]), float(steps[-1])
    half = float(steps[steps <= (first + last) / 2][-1])
    flagged = np.unique(tables["suite_audit"].where(suite=name).numbers("step"))
    rank, end = "normalized_effective_rank", spectra.where(step=last)
    measures = (rank, "stable_rank", "log_norm", "log_spectral_norm")
    return {
        "flagged_steps": _spread([float(len(flagged))]),
        **{measure: _over(end, measure, ["matrix"]) for measure in measures},
        f"{rank}_at_start": _over(spectra.where(step=first), rank, ["matrix"]),
        "agreement_score_halfway": _over(spectra.where(step=half), "agreement_score", ["matrix"]),
        "alignment_score": _over(alignment.where(step=last), "alignment_score", ["pair"]),
    }


def _over_seeds(table: Table, column: str) -> dict[str, float | None]:
    return _over(table, column, ["seed"])


def _over(table: Table, column: str, unit: list[str]) -> dict[str, float | None]:
    """Return mean and std over units of the mean of a column over each unit's rows."""

    def mean(rows: Table) -> float:
        values = rows.numbers(column)
        defined = values[np.isfinite(values)]
        return float(defined.mean()) if len(defined) else np.nan

    return _spread(_each(table, unit, mean))


def _each(table: Table, unit: list[str], function: Callable[[Table], float]) -> list[float]:
    keys = dict.fromkeys(zip(*(table.column(name).tolist() for name in unit), strict=True))
    return [function(table.where(**dict(zip(unit, key, strict=True)))) for key in keys]


def _spread(values: Iterable[float]) -> dict[str, float | None]:
    array = np.array(list(values))
    if not len(array) or not np.isfinite(array).all():
        return {"mean": None, "std": None}
    return {"mean": float(f"{array.mean():.5g}"), "std": float(f"{array.std():.5g}")}
