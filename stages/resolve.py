"""Validate params.yaml and write the settings of every stage, with the code that it runs."""

import shutil

from specflow import paths
from specflow.config.params import load_params
from specflow.config.resolved import resolved
from specflow.errors import SpecflowError
from specflow.graph import undeclared
from specflow.json_files import write_json
from specflow.scratch import drop_unused


def main(option: str = "") -> None:
    """Check everything before anything is written; with --check, write nothing.

    Args:
        option: Empty, or --check.

    Raises:
        SpecflowError: If the option is another one.
    """
    if option not in ("", "--check"):
        raise SpecflowError(f"got {option!r}; expected no option, or --check")
    config = resolved(load_params(paths.PARAMS))
    if option != "--check":
        write_json(paths.CONFIG, config, sort_keys=True)
        for place in undeclared(config):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        drop_unused()
