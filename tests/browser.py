"""Headless Chromium, where there is one."""

import os
import shutil
import subprocess
from pathlib import Path

BINARY = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0", "--window-size=1400,900", "--dump-dom"),
    "--virtual-time-budget=10000",
    "--allow-file-access-from-files",  # so that a page may ask another one in a frame
)


def opened(profile: Path, page: Path) -> tuple[str, list[str]]:
    """Return the document as the browser has it, and the messages of its console."""
    assert BINARY is not None
    done = subprocess.run(
        [BINARY, *FLAGS, f"--user-data-dir={profile}", page.resolve().as_uri()],
        env={**os.environ, "HOME": str(profile)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
