"""The page in headless Chromium: opened from disk, without a network."""

import re
from pathlib import Path

import pytest
from tests.browser import BINARY, opened
from tests.report.made_up import CLAIMS

from specflow import paths
from specflow.report.page import write_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="needs Chromium; there is no such program"),
]
# Asks the page in the frame what only a browser knows, and leaves the answers in the title. All of
# it happens in the load event, which waits for the frame and ends before the browser dumps.
PROBE = """<!DOCTYPE html><title>probe</title><iframe src="{page}" width="{width}"></iframe><script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  for (const fold of page.querySelectorAll("details")) fold.open = true;
  const images = [...page.images].filter(image => !image.closest("dialog"));
  const broken = images.filter(image => image.naturalWidth == 0).length;
  const overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  document.title = `images ${{images.length}} broken ${{broken}} overflow ${{overflow}}`;
}});
</script>"""


# Does in the page what a reader does, step by step, and leaves what was seen in the title.
READER = """<!DOCTYPE html><title>reader</title>
<iframe src="{page}" width="1200" height="800"></iframe><script>
const frame = document.querySelector("iframe"), seen = [];
const pause = () => new Promise(done => setTimeout(done, 300));
addEventListener("load", async () => {{
  const page = frame.contentDocument, view = frame.contentWindow;
  const one = selector => page.querySelector(selector);
  const claims = () => [...page.querySelectorAll("[data-claim]")].filter(row => !row.hidden);
  const tell = (name, value) => seen.push(`${{name}}=${{value}}`);
  const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", {{ key }}));

  tell("claims", claims().length);
  one("[data-show='does-not-hold']").click();
  tell("contradicted", claims().map(row => row.dataset.claim));
  one("a[href='#claim-alignment_weak']").click();
  await pause();
  tell("revealed", claims().length);
  tell("open", one("[data-claim='alignment_weak']").open);
  tell("folded", !one("[data-claim='rank_falls']").open);

  const box = one("dialog.large");
  one("#figure-losses_grokking .enlarge").click();
  await pause();
  tell("enlarged", box.open && box.querySelector("img").src.endsWith("losses_grokking.png"));
  box.querySelector("button").click();
  await pause();
  tell("closed", !box.open && !view.history.state);
  one("#figure-losses_grokking .enlarge").click();
  await pause();
  view.history.back();
  await pause();
  tell("back", !box.open);
  one("#figure-losses_grokking .enlarge").click();
  await pause();
  box.dispatchEvent(new Event("cancel", {{ cancelable: true }}));  // as Escape does
  await pause();
  tell("escaped", !box.open && !view.history.state);

  one("#experiment-digits").closest("details").open = true;
  await pause();
  const curves = one("#experiment-digits .curves");
  press(curves.querySelector("svg"), "ArrowRight");
  tell("paths", curves.querySelectorAll("path").length);
  tell("told", curves.querySelector("output").textContent.includes("2.5"));
  view.dispatchEvent(new Event("beforeprint"));
  tell("printed", page.querySelectorAll("details:not([open])").length);
  document.title = seen.join(" ");
}});
</script>"""


def probed(profile: Path, width: int, addition: str = "") -> tuple[int, int, int]:
    """Return number of images, of broken ones, and pixels by which the page is too wide."""
    write_report()
    text = paths.REPORT.read_text(encoding="utf-8").replace('loading="lazy"', 'loading="eager"')
    page, probe = (paths.REPORT.with_name(name) for name in ("eager.html", "probe.html"))
    page.write_text(text.replace("</main>", f"{addition}</main>"), encoding="utf-8")
    probe.write_text(PROBE.format(page=page.name, width=width), encoding="utf-8")
    document, console = opened(profile, probe)
    assert [line for line in console if "ERR_FILE_NOT_FOUND" not in line] == []
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


def test_filter_links_enlarged_figures_and_curves_do_what_they_say(results, tmp_path):
    results()
    write_report()
    reader = paths.REPORT.with_name("reader.html")
    reader.write_text(READER.format(page=paths.REPORT.name), encoding="utf-8")
    document, console = opened(tmp_path / "profile", reader)
    assert console == []
    found = re.search(r"<title>(.*)</title>", document)
    assert found is not None
    assert dict(part.split("=") for part in found[1].split()) == {
        "claims": str(len(CLAIMS)),
        "contradicted": "rank_falls",
        "revealed": str(len(CLAIMS)),
        **dict.fromkeys(
            ("open", "folded", "enlarged", "closed", "back", "escaped", "told"), "true"
        ),
        "paths": "3",
        "printed": "0",
    }


def test_the_browser_sees_what_is_wrong(results, tmp_path):
    results()
    wrong = '<img src="absent.png" alt=""><div style="width: 2000px">.</div>'
    _, broken, overflow = probed(tmp_path / "profile", 390, wrong)
    assert broken == 1
    assert overflow > 0
    paths.REPORT.write_text("<script>console.error('seen'); absent()</script>", encoding="utf-8")
    _, console = opened(tmp_path / "profile", paths.REPORT)
    assert len(console) == 2
