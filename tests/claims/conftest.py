"""Made-up tables, whose statistics are known, and the findings that they lead to."""

from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from ruamel.yaml import YAML

from specflow import paths
from specflow.claims.claim import all_claims
from specflow.claims.judge import judge
from specflow.claims.section import ClaimsParams, GrokkingRoles, JudgeSettings
from specflow.frames import Tables, write_table
from specflow.studies.comparisons import DecaySeries, Groups, LabelPair

ROOT = Path(__file__).parents[2]
_PATH = "connection relation trunks split_step scale branches"
HEADERS = {
    "history": "experiment seed step split metric value",
    "spectra": "experiment seed step matrix normalized_effective_rank",
    "growth": "experiment seed matrix top_growth median_growth",
    "settling": "experiment seed matrix step top_score next_score",
    "alignment": "experiment seed step pair alignment_score",
    "pruning": "experiment seed step split keep keep_fraction metric value",
    "matrices": "experiment matrix rows columns null_agreement",
    "pairs": "experiment pair depth null_alignment",
    "connections": "connection experiment",
    "barriers": f"{_PATH} split keep keep_fraction metric barrier",
    "endpoint_agreement": f"{_PATH} matrix agreement_score",
    "tickets": "ticket experiment kind density rewind_step",
    "ticket_masks": "ticket seed matrix density masked_agreement_score",
}
END = 10


class World:
    """Tables in the making, how to judge them, and what is found."""

    def __init__(self, folder: Path, claims: ClaimsParams) -> None:
        self.folder, self.claims = folder, claims
        self.groups = Groups(weight_decay={}, labels={})
        self.rows: dict[str, list[tuple]] = {name: [] for name in HEADERS}

    def add(self, table: str, *cells: object) -> None:
        assert len(cells) == len(HEADERS[table].split()), (table, cells)
        self.rows[table].append(cells)

    def run(self, name: str, ranks: list[float], error: float = 0.5, fitted: bool = True) -> None:
        """Add an experiment with a mean rank by seed at the end, and 0.9 before."""
        for seed, rank in enumerate(ranks):
            for step, validation, train in ((0, 0.99, 0.99), (END, error, 0.0 if fitted else 0.9)):
                self.add("history", name, seed, step, "validation", "error", validation)
                self.add("history", name, seed, step, "train", "error", train)
            for matrix, off in (("a", -0.1), ("b", 0.1)):
                for step, value in ((0, 0.9), (END // 2, 0.9), (END, rank + off)):
                    self.add("spectra", name, seed, step, matrix, value)

    def path(self, relation, trunks, step, scale, barrier, agreement) -> None:
        """Add a path between the endpoints of two branches; beside it what must not count."""
        where = ("path", relation, trunks, step, scale, "0-1")
        self.add("barriers", *where, "validation", "full", 1.0, "loss", barrier)
        for what in (
            ("train", "full", 1.0, "loss"),
            ("validation", "top", 0.5, "loss"),
            ("validation", "full", 1.0, "error"),
        ):
            self.add("barriers", *where, *what, 77.0)
        for matrix, off in (("a", -0.01), ("b", 0.01)):
            self.add("endpoint_agreement", *where, matrix, agreement + off)

    def series(self, decays: dict[str, float], base: str) -> None:
        series = {base: DecaySeries(base=base, weight_decays=decays)}
        self.groups = self.groups.model_copy(update={"weight_decay": series})

    def labels(self, true: str, random: str) -> None:
        pair = LabelPair(true_labels=true, random_labels=random)
        self.groups = self.groups.model_copy(update={"labels": {true: pair}})

    def roles(self, **roles: str) -> None:
        self.claims = self.claims.model_copy(update={"grokking": GrokkingRoles(**roles)})

    def scorecard(self):
        for name, header in HEADERS.items():
            table = pd.DataFrame(self.rows[name], columns=header.split())
            write_table(self.folder / f"{name}.csv", table)
        return judge(Tables(self.folder), JudgeSettings(claims=self.claims, groups=self.groups))

    def finding(self, claim: str):
        """Judge a claim alone."""
        judged = {claim: all_claims()[claim]}
        with mock.patch("specflow.claims.judge.all_claims", return_value=judged):
            (finding,) = self.scorecard()[claim].subjects.values()
        return finding

    def expect(self, claim, make, holds, fails, undecided, unit="seeds") -> None:
        """Assert what is found of a claim on tables made of its value on every unit."""
        cases = {"holds": holds, "does not hold": fails, "undecided": undecided}
        for verdict, values in cases.items():
            for rows in self.rows.values():
                rows.clear()
            make(values)
            finding = self.finding(claim)
            assert finding.value == pytest.approx(sum(values) / len(values), abs=1e-4)
            found = (finding.num_units, finding.unit, finding.verdict)
            assert found == (len(values), unit, verdict)

    def expect_no_verdict(self, claim, value, note) -> None:
        """Assert that a claim is undecided without an interval, and why."""
        finding = self.finding(claim)
        assert (finding.value, finding.low, finding.verdict) == (value, None, "undecided")
        assert finding.note == note


@pytest.fixture
def raw_claims():
    """The claims section of params.yaml as read."""
    return YAML(typ="safe").load(ROOT / "params.yaml")["claims"]


@pytest.fixture
def world(tmp_path, raw_claims) -> World:
    return World(
        tmp_path / paths.TABLES, ClaimsParams.model_validate(raw_claims | {"grokking": None})
    )
