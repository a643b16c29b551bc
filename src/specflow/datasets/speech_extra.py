"""The extra `speech`: packages that only spoken data need, imported where they are used."""

import importlib.util

from specflow.errors import SpecflowError

INSTALL = "`pip install -c constraints.txt -e '.[speech]'` installs it"


def check_installed(*modules: str) -> None:
    """Check that packages of the extra are there, without importing them.

    Args:
        modules: Names under which they are imported.

    Raises:
        SpecflowError: If one is not; it says what installs it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise SpecflowError(f"the package {module}, which speech needs, is not here; {INSTALL}")
