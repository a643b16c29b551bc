"""The scorecard in git, against the tables in git."""

from specflow import paths
from specflow.claims.judge import judge
from specflow.claims.scorecard import scorecard_text
from specflow.claims.section import JudgeSettings
from specflow.config.settings import ALL, read_settings
from specflow.frames import Tables


def test_scorecard_can_be_recomputed_from_the_tables_alone(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    settings, _ = read_settings("judge", ALL, JudgeSettings)
    assert paths.CLAIMS.read_text() == scorecard_text(judge(Tables(paths.TABLES), settings))
