from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report import made_up

from specflow import paths


@pytest.fixture
def results(workplace: Path) -> Callable[..., None]:
    """A function that writes all results, with these claims and figures."""

    def write(claims: dict | None = None, figures=made_up.FIGURES, config=made_up.CONFIG) -> None:
        made_up.write_json(paths.CONFIG.with_suffix(".json"), config)
        made_up.write_json(paths.SUMMARY, made_up.SUMMARY)
        made_up.write_json(paths.CLAIMS, made_up.CLAIMS if claims is None else claims)
        made_up.write_tables(paths.TABLES)
        made_up.write_figures(paths.FIGURES, figures)

    return write
