"""All claims, from every file of this folder that makes some."""

from importlib import import_module
from pathlib import Path

from specflow.claims.claim import Claim

# The order of the scorecard; topics that are not named here follow by name.
_ORDER = ("runs", "comparisons", "tickets", "connections")


def _topics() -> list[str]:
    """Return the files that make claims; no other is imported, so that these may import this."""
    files = Path(__file__).parent.glob("*.py")
    found = {file.stem for file in files if "\n@claim(" in file.read_text("utf-8")}
    return [*(name for name in _ORDER if name in found), *sorted(found - set(_ORDER))]


def _claims() -> dict[str, Claim]:
    """Return the claims by id, in the order of the files and of their lines."""
    claims: dict[str, Claim] = {}
    for topic in _topics():
        module = import_module(f"{__package__}.{topic}")
        for made in vars(module).values():
            if isinstance(made, Claim) and made.measure.__module__ == module.__name__:
                assert made.id not in claims, f"two claims are called {made.id}"
                claims[made.id] = made
    return claims


CLAIMS = _claims()
