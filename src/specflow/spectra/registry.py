"""What is known of a quantity of spectra, and the registry that functions enter."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Bound = float | str


@dataclass(frozen=True)
class Quantity:
    """A number of a spectrum, and what is said of it wherever it is shown.

    Attributes:
        name: The function's name, a column of the table `spectra`.
        label: What an axis says.
        range: Smallest and largest value; text where they depend on R = min(rows, columns).
        cite: Authors and year of the source.
        url: Where the source is.
        function: From S of shape (..., R), and settings by name, to shape (...).
    """

    name: str
    label: str
    range: tuple[Bound, Bound]
    cite: str
    url: str
    function: Callable[..., Tensor]

    @property
    def formula(self) -> str:
        """What the function returns: the first line of its docstring."""
        first = (inspect.getdoc(self.function) or "").partition("\n")[0]
        return first.removeprefix("Return ").removesuffix(".")

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of what the function takes beside S, those of settings of spectra."""
        return tuple(inspect.signature(self.function).parameters)[1:]


QUANTITIES: dict[str, Quantity] = {}


def quantity(
    *, label: str, range: tuple[Bound, Bound], cite: str, url: str
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Return a decorator that enters a function in `QUANTITIES` and leaves it as it is.

    Args:
        label: What an axis says.
        range: Smallest and largest value.
        cite: Authors and year of the source.
        url: Where the source is.

    Example:
        >>> from specflow.spectra import effective_rank
        >>> QUANTITIES["effective_rank"].function is effective_rank
        True
    """

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        name = function.__name__
        QUANTITIES[name] = Quantity(name, label, range, cite, url, function)
        return function

    return enter
