"""`python -m specflow.docs` writes every generated part anew."""

from pathlib import Path

from specflow.docs.pages import filled, pages_of
from specflow.textfiles import write_text

if __name__ == "__main__":
    for page in pages_of(Path()):
        write_text(page, filled(page.read_text("utf-8")))
