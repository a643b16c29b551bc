"""The page of all results as one file: pictures inside, and what was known when it was written."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from specflow import paths
from specflow.report.page import results_html
from specflow.report.pictures import embedded
from specflow.textfiles import write_text

_PACKAGES = ("specflow", "torch", "numpy", "matplotlib")


def write_single_file(page: Path) -> None:
    """Write the page with its pictures inside.

    It is not for DVC, as it says when and where it was written: these differ from run to run.

    Raises:
        SpecflowError: If a result is missing or broken, the page cannot be written, or the pictures
            are too many for one.
    """
    pictures = partial(embedded, folder=paths.FIGURES)
    write_text(page, results_html(pictures, provenance()))


def provenance() -> dict[str, str]:
    """Return commit, date, versions and kind of machine, by what these are called."""
    versions = [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in _PACKAGES)]
    return {
        "commit": _commit(),
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "with": ", ".join(versions),
        "on": f"{platform.system()} {platform.machine()}, {_processor()}",
    }


def _commit() -> str:
    """Return the commit of the working folder, and whether anything there differs from it."""
    try:
        head, changes = (
            subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown: there is no git repository"
    return head.strip()[:12] + (" with changes" if changes else "")


def _processor() -> str:
    """Return how many cores of what kind there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores{f' of {models[0]}' if models else ''}"
