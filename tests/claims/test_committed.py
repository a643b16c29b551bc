"""The scorecard in git, and the one in the README, against the tables in git."""

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.scorecard import read_scorecard, scorecard_text
from specflow.claims.section import JudgeSettings
from specflow.claims.table import markdown
from specflow.config.settings import ALL, read_settings
from specflow.frames import Tables

START, END = "<!-- scorecard -->\n", "<!-- end of scorecard -->"


def test_scorecard_can_be_recomputed_from_the_tables_alone(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    settings, _ = read_settings("judge", ALL, JudgeSettings)
    assert paths.CLAIMS.read_text() == scorecard_text(judge(Tables(paths.TABLES), settings))


def test_readme_shows_the_scorecard(request):
    root = request.config.rootpath
    text = (root / "README.md").read_text()
    assert START in text, f"README.md lacks {START.strip()}"
    assert END in text, f"README.md lacks {END}"
    shown = text.split(START)[1].split(END)[0].strip()
    assert shown == markdown(read_scorecard(root / paths.CLAIMS)).strip()
