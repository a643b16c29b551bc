"""Made-up tables, whose statistics are known, and the findings that they lead to."""

from pathlib import Path

import pytest

from specflow.claims.judge import judge
from specflow.params.claims import ClaimsParams, GrokkingRoles
from specflow.params.file import load_params
from specflow.params.groups import DecaySeries, Groups, LabelPair
from specflow.tables.writing import write_table

ROOT = Path(__file__).parents[2]
_LINE = "connection relation trunks split_step split_epoch scale branches"
HEADERS = {
    "history": "experiment seed step epoch split metric value",
    "spectra": "experiment seed step epoch matrix normalized_effective_rank",
    "growth": "experiment seed matrix top_growth median_growth",
    "settling": "experiment seed matrix step top_score next_score",
    "alignment": "experiment seed step epoch pair alignment_score",
    "pruning": "experiment seed step epoch split keep keep_fraction metric value",
    "matrices": "experiment matrix label depth rows columns null_agreement",
    "pairs": "experiment pair depth null_alignment",
    "connections": "connection experiment",
    "barriers": f"{_LINE} split keep keep_fraction metric barrier",
    "end_agreement": f"{_LINE} matrix agreement_score",
    "tickets": "ticket experiment kind density rewind_step",
    "ticket_masks": "ticket seed matrix density masked_agreement_score",
}
END = 10


class World:
    """Tables in the making; an experiment `run` is there from the start."""

    def __init__(self, folder: Path, params: ClaimsParams) -> None:
        self.folder, self.params = folder, params
        self.groups = Groups(weight_decay={}, labels={})
        self.rows: dict[str, list[tuple]] = {name: [] for name in HEADERS}

    def add(self, table: str, *cells: object) -> None:
        assert len(cells) == len(HEADERS[table].split()), (table, cells)
        self.rows[table].append(cells)

    def run(self, name: str, ranks: list[float], step: int = END) -> None:
        """Add an experiment with a mean rank by seed at a step, and 0.9 at step 0."""
        for seed, rank in enumerate(ranks):
            self.add("history", name, seed, step, 1.0, "validation", "loss", 0.5)
            for matrix, off in (("a", -0.1), ("b", 0.1)):
                self.add("spectra", name, seed, 0, 0.0, matrix, 0.9)
                self.add("spectra", name, seed, step, 1.0, matrix, rank + off)

    def line(self, relation, trunks, step, scale, barrier, agreement, name="line") -> None:
        """Add a line between two branch ends; beside it what must not count."""
        where = (name, relation, trunks, step, step / 5, scale, "0-1")
        self.add("barriers", *where, "validation", "full", 1.0, "loss", barrier)
        for what in (
            ("train", "full", 1.0, "loss"),
            ("validation", "top", 0.5, "loss"),
            ("validation", "full", 1.0, "error"),
        ):
            self.add("barriers", *where, *what, 77.0)
        for matrix, off in (("a", -0.01), ("b", 0.01)):
            self.add("end_agreement", *where, matrix, agreement + off)

    def series(self, decays: dict[str, float], base: str) -> None:
        series = {base: DecaySeries(base=base, weight_decays=decays)}
        self.groups = self.groups.model_copy(update={"weight_decay": series})

    def labels(self, true: str, random: str) -> None:
        pair = LabelPair(true_labels=true, random_labels=random)
        self.groups = self.groups.model_copy(update={"labels": {true: pair}})

    def roles(self, **roles: str) -> None:
        self.params = self.params.model_copy(update={"grokking": GrokkingRoles(**roles)})

    def write(self) -> Path:
        for name, header in HEADERS.items():
            write_table(self.folder / f"{name}.csv", header.split(), self.rows[name])
        return self.folder

    def judged(self, claim: str):
        return judge(self.write(), self.params, self.groups)[claim]

    def finding(self, claim: str):
        (finding,) = self.judged(claim).subjects.values()
        return finding


@pytest.fixture
def world(tmp_path: Path) -> World:
    params = load_params(ROOT / "params.yaml").claims
    return World(tmp_path / "tables", params.model_copy(update={"grokking": None}))
