"""The page of two models in headless Chromium, on a telephone and from disk."""

from pathlib import Path

import pytest
from tests.browser import BINARY, on_telephone
from tests.two_models import base, tuned

import specflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program"),
]


def test_browser_shows_two_models_without_errors_or_overflow(workplace, tmp_path):
    long = {"a_name_without_spaces_" * 10 + ".weight": base()["lm_head.weight"]}
    specflow.compare(base() | long, tuned(base()), output="out")
    seen = on_telephone(tmp_path / "profile", Path("out/index.html"))
    assert seen == "images 2 broken 0 wide false"
