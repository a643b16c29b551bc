"""The quantities of a spectrum: the one list that tables, figures, the report and the docs read.

Each is a function of singular values S of shape (..., R), in any order and not modified, to shape
(...), float64. Ranks and the Gini index are dimensionless, norms in units of the weights. A
spectrum that is empty, negative or not finite is a ValueError; so is an all-zero one, but for
norms. Another quantity is another function here, or beside it if it is of a family that is measured
on demand: nothing else lists them.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from specflow.spectra.spectrum import checked, not_zero, over_largest, shares

Bound = float | str

# Sums of probabilities round: 18 times 1/20 must not count as more than 0.9.
_ROUNDING = 1e-12
_SHAPE = ("rows", "columns")  # what a function may take of the matrix beside S


@dataclass(frozen=True)
class Quantity:
    """A number of a spectrum, and what is said of it wherever it is shown.

    Attributes:
        name: The function's name, a column of the table `spectra`.
        label: What an axis says.
        range: Smallest and largest value; text where they depend on R = min(rows, columns).
        cite: Authors and year of the source.
        url: Where the source is.
        function: From S of shape (..., R), and settings or the matrix's `rows` and `columns` by
            name, to shape (...).
        family: What it is measured with, on demand; None if it always is.
        of: Which spectrum S is, an array of the file of spectra.
    """

    name: str
    label: str
    range: tuple[Bound, Bound]
    cite: str
    url: str
    function: Callable[..., Tensor]
    family: str | None = None
    of: str = "singular_values"

    @property
    def formula(self) -> str:
        """What the function returns: the first line of its docstring."""
        first = (inspect.getdoc(self.function) or "").partition("\n")[0]
        return first.removeprefix("Return ").removesuffix(".")

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of what the function takes beside S and the shape: those of settings of spectra."""
        return tuple(name for name in self._beside if name not in _SHAPE)

    @property
    def takes_shape(self) -> bool:
        """Whether the function takes `rows` and `columns` of the matrix."""
        return set(_SHAPE) <= set(self._beside)

    @property
    def _beside(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function).parameters)[1:]


QUANTITIES: dict[str, Quantity] = {}


def quantity(
    *,
    label: str,
    range: tuple[Bound, Bound],
    cite: str,
    url: str,
    family: str | None = None,
    of: str = "singular_values",
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Return a decorator that enters a function in `QUANTITIES`; see `Quantity`.

    Example:
        >>> QUANTITIES["effective_rank"].function is effective_rank
        True
    """

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        name = function.__name__
        QUANTITIES[name] = Quantity(name, label, range, cite, url, function, family, of)
        return function

    return enter


@quantity(
    label="effective rank",
    range=(1, "R"),
    cite="Roy & Vetterli 2007",
    url="https://ieeexplore.ieee.org/document/7098875",
)
def effective_rank(S: Tensor) -> Tensor:
    """Return exp(-sum p_i log p_i) with p_i = s_i / sum s.

    Example:
        >>> effective_rank(torch.tensor([2.0, 2.0, 0.0]))
        tensor(2., dtype=torch.float64)
    """
    return torch.special.entr(shares(S)).sum(-1).exp()


@quantity(
    label="normalized effective rank",
    range=(0, 1),
    cite="Yunis et al. 2024",
    url="https://arxiv.org/abs/2408.11804",
)
def normalized_effective_rank(S: Tensor) -> Tensor:
    """Return `effective_rank` over R.

    Example:
        >>> normalized_effective_rank(torch.tensor([2.0, 2.0, 0.0, 0.0]))
        tensor(0.5000, dtype=torch.float64)
    """
    return effective_rank(S) / S.shape[-1]


@quantity(
    label="mass rank",
    range=(0, 1),
    cite="Yunis et al. 2024, code",
    url="https://arxiv.org/abs/2408.11804",
)
def mass_rank(S: Tensor, mass: float = 0.9) -> Tensor:
    """Return the smallest k with sum_{i<=k} s_i / sum s > mass, over R.

    Args:
        S: Singular values.
        mass: Share of their sum to exceed.

    Raises:
        ValueError: If mass is not in (0, 1).

    Example:
        >>> mass_rank(torch.tensor([8.0, 1.0, 0.5, 0.5]))
        tensor(0.7500, dtype=torch.float64)
    """
    if not 0 < mass < 1:
        raise ValueError(f"mass is {mass}; expected a share in (0, 1)")
    held = shares(S).sort(-1, descending=True).values.cumsum(-1)
    too_few = (held <= mass + _ROUNDING).sum(-1).clamp(max=S.shape[-1] - 1)
    return (too_few + 1).double() / S.shape[-1]


@quantity(
    label="stable rank",
    range=(1, "R"),
    cite="Rudelson & Vershynin 2007",
    url="https://arxiv.org/abs/math/0503442",
)
def stable_rank(S: Tensor) -> Tensor:
    """Return sum s_i^2 / s_1^2 = ||W||_F^2 / ||W||_2^2.

    Example:
        >>> stable_rank(torch.tensor([2.0, 1.0, 1.0]))
        tensor(1.5000, dtype=torch.float64)
    """
    return over_largest(S).square().sum(-1)


@quantity(
    label="Gini index",
    range=(0, "1 - 1/R"),
    cite="Hurley & Rickard 2009",
    url="https://arxiv.org/abs/0811.4706",
)
def gini(S: Tensor) -> Tensor:
    """Return sum_i (2i - R - 1) s_(i) / (R sum s), with s_(i) ascending and i from 1.

    0 for equal singular values, 1 - 1/R for a single one.

    Example:
        >>> gini(torch.tensor([5.0, 0.0, 0.0, 0.0]))
        tensor(0.7500, dtype=torch.float64)
    """
    ascending = shares(S).sort(-1).values
    R = S.shape[-1]
    index = torch.arange(1, R + 1, dtype=torch.float64, device=S.device)
    return ((2 * index - R - 1) * ascending).sum(-1) / R


@quantity(
    label="Frobenius norm",
    range=(0, math.inf),
    cite="Golub & Van Loan 2013, 2.3",
    url="https://doi.org/10.56021/9781421407944",
)
def frobenius_norm(S: Tensor) -> Tensor:
    """Return sqrt(sum s_i^2) = ||W||_F.

    Example:
        >>> frobenius_norm(torch.tensor([4.0, 3.0]))
        tensor(5., dtype=torch.float64)
    """
    return checked(S).square().sum(-1).sqrt()


@quantity(
    label="spectral norm",
    range=(0, math.inf),
    cite="Golub & Van Loan 2013, 2.3",
    url="https://doi.org/10.56021/9781421407944",
)
def spectral_norm(S: Tensor) -> Tensor:
    """Return s_1 = ||W||_2.

    Example:
        >>> spectral_norm(torch.tensor([4.0, 3.0]))
        tensor(4., dtype=torch.float64)
    """
    return checked(S).amax(-1)


@quantity(
    label="log norm",
    range=(-math.inf, math.inf),
    cite="Martin et al. 2021",
    url="https://doi.org/10.1038/s41467-021-24025-8",
)
def log_norm(S: Tensor) -> Tensor:
    """Return log10 ||W||_F^2, as weightwatcher has it.

    Example:
        >>> log_norm(torch.tensor([8.0, 6.0]))
        tensor(2., dtype=torch.float64)
    """
    return 2 * not_zero(frobenius_norm(S)).log10()


@quantity(
    label="log spectral norm",
    range=(-math.inf, math.inf),
    cite="Martin et al. 2021",
    url="https://doi.org/10.1038/s41467-021-24025-8",
)
def log_spectral_norm(S: Tensor) -> Tensor:
    """Return log10 ||W||_2^2, as weightwatcher has it.

    Example:
        >>> log_spectral_norm(torch.tensor([10.0, 6.0]))
        tensor(2., dtype=torch.float64)
    """
    return 2 * not_zero(spectral_norm(S)).log10()
