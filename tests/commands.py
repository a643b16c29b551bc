"""The command line, in this process and in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import specflow
from specflow.cli import main

MODULE = f"{sys.executable} -m specflow"


def ended_with(*arguments: str) -> int:
    """Run a command and return its exit status."""
    try:
        main(arguments)
    except SystemExit as ended:
        return ended.code
    return 0


def run(command: str) -> subprocess.CompletedProcess:
    """Run a line of shell, which finds the package, and return how it ended and what it said."""
    environment = os.environ | {"PYTHONPATH": str(Path(specflow.__file__).parents[1])}
    return subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
