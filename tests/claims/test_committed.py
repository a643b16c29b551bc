"""The scorecard in git, and the one in the README, against the tables in git."""

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.scorecard import read_scorecard, scorecard_text
from specflow.claims.table import markdown
from specflow.params.claims import ClaimsParams
from specflow.params.groups import Groups
from specflow.params.resolve import read_config

START, END = "<!-- scorecard -->\n", "<!-- end of scorecard -->"


def test_scorecard_can_be_recomputed_from_the_tables_alone(request):
    root = request.config.rootpath
    params = read_config(root / paths.CLAIMS_CONFIG, ClaimsParams)
    groups = read_config(root / paths.GROUPS_CONFIG, Groups)
    recomputed = scorecard_text(judge(root / paths.TABLES, params, groups))
    assert (root / paths.CLAIMS).read_text() == recomputed


def test_readme_shows_the_scorecard(request):
    root = request.config.rootpath
    text = (root / "README.md").read_text()
    assert START in text, f"README.md lacks {START.strip()}"
    assert END in text, f"README.md lacks {END}"
    shown = text.split(START)[1].split(END)[0].strip()
    assert shown == markdown(read_scorecard(root / paths.CLAIMS)).strip()
