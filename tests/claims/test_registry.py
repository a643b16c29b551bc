"""One function in a file makes a claim: it has a threshold, is judged, and is in the scorecard."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import specflow
from specflow.claims.registry import CLAIMS

NEW_CLAIM = '''
"""A new topic."""
from specflow.claims.claim import claim
from specflow.claims.measured import over_seeds
from specflow.claims.runs import EXPERIMENTS, final_rank
from specflow.frames import where
from specflow.section import Fraction


@claim(
    text="rank is low",
    statistic="final rank",
    holds="<",
    threshold=Fraction,
    subjects=EXPERIMENTS,
    paper="says nothing",
)
def rank_is_low(tables, experiment):
    """Return the final rank of every seed."""
    spectra = where(tables["spectra"], experiment=experiment)
    return over_seeds(spectra, lambda seed: final_rank(tables, experiment, seed))
'''
JUDGE = """
import json, sys
from pathlib import Path
from specflow.claims.judge import JudgeSettings, judge
from specflow.claims.scorecard import scorecard_text
from specflow.frames import Tables
settings = JudgeSettings.model_validate_json(sys.stdin.read())
print(scorecard_text(judge(Tables(Path(sys.argv[1])), settings)))
"""


def test_every_claim_says_what_the_paper_reports_and_has_words_of_its_own():
    for words in ("id", "text", "statistic"):
        found = [getattr(claim, words) for claim in CLAIMS.values()]
        assert all(found)
        assert words == "statistic" or len(set(found)) == len(CLAIMS)
    assert all(claim.paper for claim in CLAIMS.values())


@pytest.fixture
def judged_with_a_new_claim(world, tmp_path):
    """A function that judges in a copy of the package that has one more file of claims."""
    package = tmp_path / "specflow"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(specflow.__file__).parent, package, ignore=ignored)
    (package / "claims" / "made_up.py").write_text(NEW_CLAIM)
    world.run("run", [0.2, 0.21, 0.22])
    world.scorecard()  # writes the tables

    def judged(**thresholds):
        settings = {"claims": world.claims.model_dump(), "groups": world.groups.model_dump()}
        settings["claims"]["thresholds"] |= thresholds
        return subprocess.run(
            [sys.executable, "-c", JUDGE, str(world.folder)],
            input=json.dumps(settings),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    return judged


def test_new_claim_is_a_file_and_a_threshold(judged_with_a_new_claim):
    rows = json.loads(judged_with_a_new_claim(rank_is_low=0.5).stdout)
    assert list(rows) == [*CLAIMS, "rank_is_low"]
    finding = rows["rank_is_low"]["subjects"]["run"]
    assert (finding["value"], finding["verdict"]) == (0.21, "holds")
    assert rows["rank_is_low"]["holds_when"] == "< 0.5"


@pytest.mark.parametrize(
    ("thresholds", "message"), [({}, "Field required"), ({"rank_is_low": 3}, "less than 1")]
)
def test_new_claim_wants_a_threshold_in_its_range(judged_with_a_new_claim, thresholds, message):
    errors = judged_with_a_new_claim(**thresholds).stderr
    assert "claims.thresholds.rank_is_low" in errors
    assert message in errors
