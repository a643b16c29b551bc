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


# Asks the page in the frame what only a browser knows, and leaves the answers in the title.
TELEPHONE = """<!DOCTYPE html><title>probe</title>
<iframe src="whole.html" width="390"></iframe><script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  for (const fold of page.querySelectorAll("details")) fold.open = true;
  const images = [...page.images].filter(image => !image.closest("dialog"));
  const broken = images.filter(image => image.naturalWidth == 0).length;
  const wide = page.documentElement.scrollWidth > page.documentElement.clientWidth;
  document.title = `images ${images.length} broken ${broken} wide ${wide}`;
});
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


def on_telephone(profile: Path, page: Path) -> str:
    """Return what is seen of a page that is 390 pixels wide; its console must be empty."""
    text = page.read_text(encoding="utf-8").replace('loading="lazy"', 'loading="eager"')
    page.with_name("whole.html").write_text(text, encoding="utf-8")
    probe = page.with_name("probe.html")
    probe.write_text(TELEPHONE, encoding="utf-8")
    document, console = opened(profile, probe)
    assert console == []
    return document.partition("<title>")[2].partition("</title>")[0]
