"""The page of two models in headless Chromium, on a telephone and from disk."""

from pathlib import Path

import pytest
from tests.browser import BINARY, opened
from tests.report.test_checkpoints_page import PROBE
from tests.test_comparison import base, tuned

import specflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program"),
]


def test_browser_shows_two_models_without_errors_or_overflow(workplace, tmp_path):
    long = {"a_name_without_spaces_" * 10 + ".weight": base()["lm_head.weight"]}
    specflow.compare(base() | long, tuned(base()), output="out")
    page = Path("out/index.html")
    page.write_text(page.read_text("utf-8").replace('loading="lazy"', 'loading="eager"'), "utf-8")
    Path("out/probe.html").write_text(PROBE, encoding="utf-8")
    document, console = opened(tmp_path / "profile", Path("out/probe.html"))
    assert console == []
    assert "<title>images 2 broken 0 wide false</title>" in document
