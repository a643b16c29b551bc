"""One function in a file makes a claim: it has a threshold, is judged, and is in the scorecard."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.claims.conftest import ROOT

import specflow
from specflow import paths
from specflow.claims.claim import all_claims
from specflow.config.settings import ALL
from specflow.json_files import read_json, write_json

NEW_CLAIM = """
from specflow.claims.claim import claim
from specflow.claims.measured import Measured
from specflow.claims.runs import EXPERIMENTS
from specflow.section import Fraction

@claim(
    text="numbers are low",
    statistic="number",
    holds="<",
    threshold=Fraction,
    subjects=EXPERIMENTS,
    paper="nothing",
)
def numbers_are_low(tables, experiment):
    return Measured("numbers", (0.2, 0.21, 0.22))
"""


def test_new_claim_is_a_file_and_a_threshold(world, tmp_path):
    source, copy = Path(specflow.__file__).parent, tmp_path / "specflow"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "claims" / "made_up.py").write_text(NEW_CLAIM)
    world.run("run", [0.2, 0.2])
    world.scorecard()  # writes the tables
    (tmp_path / "stages").symlink_to(ROOT / "stages")

    def judge(threshold):
        settings = {"claims": world.claims.model_dump(), "groups": world.groups.model_dump()}
        settings["claims"]["thresholds"]["numbers_are_low"] = threshold
        write_json(tmp_path / paths.SUMMARY, {})
        write_json(tmp_path / paths.CONFIG, {"judge": {ALL: settings}})
        return subprocess.run(
            [sys.executable, "-m", "specflow.stage", "judge"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    assert judge(0.5).stderr == ""
    rows = read_json(tmp_path / paths.CLAIMS)
    assert list(rows) == [*all_claims(), "numbers_are_low"]
    finding = rows["numbers_are_low"]["subjects"]["run"]
    assert (finding["value"], finding["verdict"]) == (0.21, "holds")
    assert rows["numbers_are_low"]["holds_when"] == "< 0.5"
    errors = judge(3).stderr
    assert "claims.thresholds.numbers_are_low" in errors
    assert "less than 1" in errors


def test_every_claim_says_what_is_claimed_and_what_the_paper_reports():
    claims = all_claims().values()
    assert len({claim.text for claim in claims}) == len(claims)
    assert all(claim.text and claim.statistic and claim.paper for claim in claims)
