"""The page in headless Chromium: opened from disk, without a network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.report.made_up import CLAIM_IDS

from specflow import paths
from specflow.report.page import write_report

BINARY = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=5000",
    "--dump-dom",
)
# Asks the page what only a browser knows, and leaves the answers in the title.
PROBE = """<script>
addEventListener("load", async () => {
  const images = [...document.images];
  images.forEach(image => { image.loading = "eager"; });
  await Promise.allSettled(images.map(image => image.decode()));
  const broken = images.filter(image => image.naturalWidth == 0).length;
  const overflow = document.documentElement.scrollWidth - innerWidth;
  document.title = `images ${images.length} broken ${broken} overflow ${overflow}`;
});
</script>"""


def opened(profile: Path, page: Path, width: int = 1280) -> tuple[str, list[str]]:
    """Return the document as the browser has it, and the messages of its console."""
    assert BINARY is not None
    done = subprocess.run(
        [BINARY, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},900", page.as_uri()],
        env={**os.environ, "HOME": str(profile)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probed(addition: str = "") -> Path:
    """Write the page with the probe, and return its place."""
    write_report()
    text = paths.REPORT.read_text(encoding="utf-8")
    probe = paths.REPORT.with_name("probe.html")
    probe.write_text(text.replace("</body>", f"{addition}{PROBE}</body>"), encoding="utf-8")
    return probe.resolve()


def test_page_has_every_claim_and_no_console_error(results, tmp_path):
    results()
    write_report()
    document, console = opened(tmp_path / "profile", paths.REPORT.resolve())
    assert console == []
    assert set(re.findall(r'data-claim="(\w+)"', document)) == set(CLAIM_IDS)


@pytest.mark.parametrize("width", [1280, 500])
def test_images_load_and_nothing_is_wider_than_the_window(results, tmp_path, width):
    results()
    document, _ = opened(tmp_path / "profile", probed(), width)
    counted = re.search(r"<title>images (\d+) broken (\d+) overflow (-?\d+)</title>", document)
    assert counted is not None
    images, broken, overflow = map(int, counted.groups())
    assert images >= len(list(paths.FIGURES.iterdir()))
    assert broken == 0
    assert overflow <= 0


def test_the_probe_sees_what_is_wrong(results, tmp_path):
    results()
    wrong = '<img src="absent.png" alt=""><div style="width: 9000px">.</div>'
    wrong += "<script>console.error('seen')</script>"
    document, console = opened(tmp_path / "profile", probed(wrong))
    assert any("seen" in line for line in console)
    assert re.search(r"broken 1 overflow [1-9]", document)
