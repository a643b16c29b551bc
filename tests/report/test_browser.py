"""The page in headless Chromium: opened from disk, without a network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.report.made_up import CLAIMS

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
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0", "--window-size=1400,900", "--dump-dom"),
    "--allow-file-access-from-files",  # so that a page may ask another one in a frame
)
# Asks the page in the frame what only a browser knows, and leaves the answers in the title. All of
# it happens in the load event, which waits for the frame and ends before the browser dumps.
PROBE = """<!DOCTYPE html><title>probe</title><iframe src="{page}" width="{width}"></iframe><script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  const images = [...page.images];
  const broken = images.filter(image => image.naturalWidth == 0).length;
  const overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  document.title = `images ${{images.length}} broken ${{broken}} overflow ${{overflow}}`;
}});
</script>"""


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


def probed(profile: Path, width: int, addition: str = "") -> tuple[int, int, int]:
    """Return number of images, of broken ones, and pixels by which the page is too wide."""
    write_report()
    text = paths.REPORT.read_text(encoding="utf-8").replace('loading="lazy"', 'loading="eager"')
    page, probe = (paths.REPORT.with_name(name) for name in ("eager.html", "probe.html"))
    page.write_text(text.replace("</main>", f"{addition}</main>"), encoding="utf-8")
    probe.write_text(PROBE.format(page=page.name, width=width), encoding="utf-8")
    document, _ = opened(profile, probe)
    counted = re.search(r"<title>images (\d+) broken (\d+) overflow (-?\d+)</title>", document)
    assert counted is not None, document
    images, broken, overflow = map(int, counted.groups())
    return images, broken, overflow


def test_page_has_every_claim_and_no_console_error(results, tmp_path):
    results()
    write_report()
    document, console = opened(tmp_path / "profile", paths.REPORT)
    assert console == []
    assert set(re.findall(r'data-claim="(\w+)"', document)) == set(CLAIMS)


@pytest.mark.parametrize("width", [1280, 390])
def test_images_load_and_nothing_is_wider_than_the_window(results, tmp_path, width):
    results()
    images, broken, overflow = probed(tmp_path / "profile", width)
    assert images >= len(list(paths.FIGURES.iterdir()))
    assert (broken, overflow) == (0, 0)


def test_the_browser_sees_what_is_wrong(results, tmp_path):
    results()
    wrong = '<img src="absent.png" alt=""><div style="width: 2000px">.</div>'
    _, broken, overflow = probed(tmp_path / "profile", 390, wrong)
    assert broken == 1
    assert overflow > 0
    paths.REPORT.write_text("<script>console.error('seen'); absent()</script>", encoding="utf-8")
    _, console = opened(tmp_path / "profile", paths.REPORT)
    assert len(console) == 2
