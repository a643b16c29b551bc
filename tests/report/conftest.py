from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report import made_up

from specflow import paths
from specflow.json_files import write_json


@pytest.fixture
def results(workplace: Path) -> Callable[..., None]:
    """A function that writes all results, with these claims and figures."""

    def write(claims: dict | None = None, figures=made_up.FIGURES, config=None) -> None:
        write_json(paths.CONFIG, made_up.resolved_config() if config is None else config)
        write_json(paths.SUMMARY, made_up.SUMMARY)
        write_json(paths.CLAIMS, made_up.CLAIMS if claims is None else claims)
        made_up.write_tables(paths.TABLES)
        made_up.write_figures(paths.FIGURES, figures)

    return write
