"""Power laws: the tail of the eigenvalues of W^T W, its exponent, and whether there is one.

The density of the eigenvalues lambda = s^2 is lambda^-alpha from xmin on, as weightwatcher has it
(Martin et al. 2021); of singular values the exponent is 2 alpha - 1. The fit and its test are those
of Clauset, Shalizi & Newman 2009: maximum likelihood, xmin by the Kolmogorov-Smirnov distance,
and a semi-parametric bootstrap that searches xmin anew in every replicate.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from specflow.spectra.decomposition import is_direction
from specflow.spectra.quantities import quantity
from specflow.spectra.random_matrix import fit_noise
from specflow.spectra.spectrum import each_spectrum, remembering

Doubles = NDArray[np.float64]

LEVEL = 0.1  # a fit is refused below this p-value (Clauset et al. 2009, section 4)
LEAST_TAIL = 50  # eigenvalues from which an exponent can be told (there, section 3)
CONFIDENCE = 0.95
_REPLICATES = 200  # of the bootstrap: a p-value near 0.1 is known to 0.02
_CANDIDATES = 64  # for xmin, evenly by rank, in the statistic of the test
_CLAUSET = {"cite": "Clauset et al. 2009", "url": "https://arxiv.org/abs/0706.1062"}


class PowerLaw(NamedTuple):
    """The power law that fits best, whether or not it is one; NaN without two eigenvalues to fit.

    Attributes:
        alpha: Exponent.
        low: Lower end of its 95% interval, of independent eigenvalues.
        high: Upper end.
        xmin: Where the tail begins, in units of eigenvalues.
        num_tail: Eigenvalues in the tail.
        distance: Kolmogorov-Smirnov distance of the tail from the fit.
        p_value: Share of samples of the fitted law that are further from their own fit.
    """

    alpha: float
    low: float
    high: float
    xmin: float
    num_tail: float
    distance: float
    p_value: float

    @property
    def is_plausible(self) -> bool:
        """Whether the tail is long enough to tell, and the test does not refuse it."""
        return self.num_tail >= LEAST_TAIL and self.p_value >= LEVEL


def fit_power_law(S: Tensor) -> PowerLaw:
    """Return the power law that fits the tail of the eigenvalues s^2 best, with its test.

    alpha and xmin are those of the package `powerlaw`. The bootstrap draws as many eigenvalues,
    those of the tail from the fitted law and the others from what lies below xmin. The interval is
    that of exponents over replicates, so it holds the choice of xmin. Both take eigenvalues as
    independent; those of matrices repel each other, and vary less.

    Args:
        S: Singular values (R,), in any order, some positive; not modified. Values of 0 are left
            out.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)  # its quantiles
        >>> fit = fit_power_law(pareto.sqrt())
        >>> round(fit.alpha, 1), fit.is_plausible
        (2.5, True)
    """
    logs = (2 * S[is_direction(S)].double().log().sort().values).cpu().numpy()
    distances, exponents, starts = _scan(logs[None], range(len(logs) - 1))
    if not np.isfinite(distances[0]):
        return PowerLaw(*[math.nan] * 7)
    start, rate = int(starts[0]), float(exponents[0])
    few = np.linspace(0, len(logs) - 2, min(len(logs) - 1, _CANDIDATES)).round().astype(int)
    observed = _scan(logs[None], few)[0]
    replicates, rates, _ = _scan(_samples(logs, start, rate), few)
    low, high = map(float, 1 + np.quantile(rates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    p_value = (1 + (replicates >= observed).sum()) / (1 + _REPLICATES)
    xmin, tail = math.exp(logs[start]), len(logs) - start
    return PowerLaw(1 + rate, low, high, xmin, tail, float(distances[0]), float(p_value))


def _scan(logs: Doubles, starts: Iterable[int]) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
    """Return the least distance of each row of logarithms, ascending, with alpha - 1 and start.

    Every tail that begins at one of the starts is fitted. The distance is that of plfit and
    powerlaw: of the shares of the tail below each value.
    """
    count, length = logs.shape
    best = np.full(count, np.inf), np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    sums = logs[:, ::-1].cumsum(1)[:, ::-1]
    for start in starts:
        above, n = logs[:, start:] - logs[:, start, None], length - start
        with np.errstate(divide="ignore", invalid="ignore"):  # equal values have no exponent
            rates = n / (sums[:, start] - n * logs[:, start])
            laws = -np.expm1(-rates[:, None] * above)
        distances = abs(laws - np.arange(n) / n).max(1)
        better = (distances < best[0]) & np.isfinite(rates) & (rates > 0)
        for kept, found in zip(best, (distances, rates, start), strict=True):
            np.copyto(kept, found, where=better)
    return best


def _samples(logs: Doubles, start: int, rate: float) -> Doubles:
    """Return logarithms of replicates, ascending rows; the same ones for the same spectrum."""
    shape, noise = (_REPLICATES, len(logs)), np.random.default_rng(0)
    body = logs[noise.integers(0, max(start, 1), shape)]
    tail = logs[start] + noise.exponential(1 / rate, shape)
    is_tail = noise.random(shape) < 1 - start / len(logs)
    return np.sort(np.where(is_tail, tail, body), axis=1)


def power_law_of(S: Tensor, rows: int, columns: int) -> PowerLaw:
    """Return the power law of a matrix; alpha and its interval are NaN where there is none.

    There is one if the fit is plausible and noise is not enough: some singular value stands out
    of the Marchenko-Pastur bulk by Tracy-Widom at 1% (`num_outliers`), or there is no bulk. So
    noise is called a power law in at most 1% of all matrices.

    Args:
        S: Singular values (R,), descending, some positive; not modified.
        rows: Of the matrix.
        columns: Of the matrix.

    Example:
        >>> import torch
        >>> noise = torch.linalg.svdvals(torch.randn(99, 99, generator=torch.manual_seed(0)))
        >>> power_law_of(noise, 99, 99).alpha
        nan
    """
    fit = fit_power_law(S)
    if fit.is_plausible and fit_noise(S, rows, columns).num_outliers != 0:
        return fit
    return fit._replace(alpha=math.nan, low=math.nan, high=math.nan)


_power_laws = remembering(power_law_of)


def _of_fit(S: Tensor, rows: int, columns: int, field: str) -> Tensor:
    return each_spectrum(S, rows, columns, _power_laws, lambda _, law: getattr(law, field))


@quantity(label="power-law exponent", range=(1, math.inf), family="power_law", **_CLAUSET)
def power_law_alpha(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return alpha of the density lambda^-alpha of lambda = s^2 from xmin on; empty if none fits.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)
        >>> round(float(power_law_alpha(pareto.sqrt(), 200, 200)), 1)
        2.5
        >>> float(power_law_alpha(torch.ones(200), 200, 200))
        nan
    """
    return _of_fit(S, rows, columns, "alpha")


@quantity(label="exponent, 95% from", range=(1, math.inf), family="power_law", **_CLAUSET)
def power_law_low(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the lower end of the 95% interval of alpha, by bootstrap.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)
        >>> 2 < float(power_law_low(pareto.sqrt(), 200, 200)) < 2.5
        True
    """
    return _of_fit(S, rows, columns, "low")


@quantity(label="exponent, 95% to", range=(1, math.inf), family="power_law", **_CLAUSET)
def power_law_high(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the upper end of the 95% interval of alpha, by bootstrap.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)
        >>> 2.5 < float(power_law_high(pareto.sqrt(), 200, 200)) < 3.5
        True
    """
    return _of_fit(S, rows, columns, "high")


@quantity(label="power law from", range=(0, math.inf), family="power_law", **_CLAUSET)
def power_law_xmin(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return xmin, the eigenvalue at which the tail begins that a power law fits best.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)
        >>> float(power_law_xmin(pareto.sqrt(), 200, 200)) < 1.2
        True
    """
    return _of_fit(S, rows, columns, "xmin")


@quantity(label="values in the tail", range=(2, "R"), family="power_law", **_CLAUSET)
def power_law_num_tail(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the number of lambda >= xmin.

    Example:
        >>> import torch
        >>> pareto = (torch.arange(1, 201) / 201) ** (-1 / 1.5)
        >>> float(power_law_num_tail(pareto.sqrt(), 200, 200)) > 150
        True
    """
    return _of_fit(S, rows, columns, "num_tail")


@quantity(label="p-value of the power law", range=(0, 1), family="power_law", **_CLAUSET)
def power_law_p_value(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the share of samples of the law that fit worse; below 0.1 it is none.

    Example:
        >>> import torch
        >>> float(power_law_p_value(torch.linspace(1, 2, 200), 200, 200)) < 0.1
        True
    """
    return _of_fit(S, rows, columns, "p_value")
