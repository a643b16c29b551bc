"""What a matrix of independent entries would show: the random-matrix baseline of a spectrum.

The singular values of an m x n matrix of independent entries of mean 0 and standard deviation
sigma fill the Marchenko-Pastur bulk from sigma (sqrt n - sqrt m) to sigma (sqrt n + sqrt m), m the
smaller side. Here sigma is fitted to the bulk, and what stands out of it is counted.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from specflow.spectra.decomposition import is_direction
from specflow.spectra.quantities import quantity
from specflow.spectra.spectrum import each_spectrum, remembering

Doubles = NDArray[np.float64]

# A singular value stands out if noise would have one as large with this probability.
LEVEL = 0.01
# 99% quantile of the Tracy-Widom law of beta = 1 (Bejan 2005, arXiv math/0511422, table 1).
TRACY_WIDOM = 2.0234
_TRACY_WIDOM_MEAN, _TRACY_WIDOM_VARIANCE = -1.20653, 1.60778  # Bornemann 2010, arXiv 0904.1581
_DEVIATION = 1.2  # of the fitted sigma of noise over 1 / sqrt(2 m n), that of the best estimate
# Johnstone 2001, section 1: the law is a good approximation from about 10 rows and columns on.
_LEAST_BULK = 10
_TRIMMED = 0.1  # of the bulk at each end, so that what lies there hardly moves sigma
_GRID = 1025  # ratios at which means are tabulated: interpolated ones are right to 1e-6
_NODES = 16  # of a quadrature over what is left

_MARCHENKO_PASTUR = {
    "cite": "Marchenko & Pastur 1967",
    "url": "https://doi.org/10.1070/SM1967v001n04ABEH001994",
}
_JOHNSTONE = {"cite": "Johnstone 2001", "url": "https://doi.org/10.1214/aos/1009210544"}
_GAVISH = {"cite": "Gavish & Donoho 2014", "url": "https://arxiv.org/abs/1305.5870"}


class Noise(NamedTuple):
    """The noise that the bulk of a spectrum is; NaN if no bulk is left.

    Attributes:
        scale: Standard deviation sigma of an entry.
        lower: Lower edge of the bulk of singular values.
        upper: Upper edge.
        num_outliers: Singular values that stand out of it.
    """

    scale: float
    lower: float
    upper: float
    num_outliers: float


def marchenko_pastur_cdf(x: Doubles, ratio: float | Doubles) -> Doubles:
    """Return the share of eigenvalues up to x (Marchenko & Pastur 1967).

    Of X X^T / n, X of shape (m, n) with independent entries of variance 1; from 0 below the edge
    (1 - sqrt ratio)^2 to 1 above (1 + sqrt ratio)^2.

    Args:
        x: Eigenvalues.
        ratio: m / n, in (0, 1]; broadcast with x.

    Example:
        >>> import numpy as np
        >>> marchenko_pastur_cdf(np.array([0.0, 1.0, 4.0]), 1.0).round(3)
        array([0.   , 0.609, 1.   ])
    """
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    x = np.clip(x, low, high)
    above, below = high - x, x - low
    with np.errstate(divide="ignore", invalid="ignore"):  # arctan2 takes the edges as they are
        root = np.sqrt(above * below)
        first = np.arctan2(above - below, 2 * root)
        second = np.arctan2(low * above - high * below, 2 * (1 - np.asarray(ratio)) * root)
    inner = np.pi * ratio + root - (1 + ratio) * first + (1 - ratio) * second
    return np.asarray(inner / (2 * np.pi * ratio))


def fit_noise(S: Tensor, rows: int, columns: int) -> Noise:
    """Return the noise whose bulk a spectrum has, and how many singular values stand out of it.

    sigma matches the mean of the bulk, less a tenth at each end, to that of the Marchenko-Pastur
    law, as Gavish & Donoho 2014 match the median, which varies twice as much. From the largest
    on, one singular value after the other is taken out of the bulk as long as it exceeds what noise
    stays below with probability 0.99: the largest eigenvalue of the (m - k) x (n - k) matrix that
    is left after k of them, by the Tracy-Widom law of beta = 1 in the centring and scaling of
    Johnstone 2001 (one by one as Kritchman & Nadler 2009, doi 10.1109/TSP.2009.2022897), widened by
    the error of the fitted sigma. A singular value of 0 is a row that is not there. The bulk has at
    least ten values.

    Args:
        S: Singular values (R,), R = min(rows, columns), descending, some positive; not modified.
        rows: Of the matrix.
        columns: Of the matrix.

    Example:
        >>> import torch
        >>> S = torch.linalg.svdvals(torch.eye(20) + 0.0)
        >>> fit_noise(S, 20, 20).num_outliers  # no noise has equal singular values
        0.0
    """
    values = S[is_direction(S)].double().cpu().numpy()
    p = np.arange(len(values), _LEAST_BULK - 1, -1.0)  # values left after each outlier
    n = p + max(rows, columns) - len(values)
    if len(p) == 0:
        return Noise(*[math.nan] * 4)
    scales = _trimmed_means(values, p) / np.sqrt(n) / np.interp(p / n, *_means())
    within = values[: len(p)] <= scales * np.sqrt(_largest_eigenvalue(p, n))
    if not within.any():
        return Noise(*[math.nan] * 4)
    k = int(within.argmax())
    scale, wide, high = float(scales[k]), math.sqrt(n[k]), math.sqrt(p[k])
    return Noise(scale, scale * (wide - high), scale * (wide + high), float(k))


def _trimmed_means(values: Doubles, p: Doubles) -> Doubles:
    """Return the trimmed mean of the last p values, of each p."""
    sums, places = np.concatenate([[0.0], values.cumsum()]), np.arange(len(values) + 1.0)
    first, last = (
        np.interp(len(values) - share * p, places, sums) for share in (1 - _TRIMMED, _TRIMMED)
    )
    return (last - first) / (p * (1 - 2 * _TRIMMED))


def _largest_eigenvalue(p: Doubles, n: Doubles, deviation: float = _DEVIATION) -> Doubles:
    """Return what X X^T, X of shape (p, n) with variance 1, exceeds with probability `LEVEL`.

    That sigma is fitted, with some deviation over 1 / sqrt(2 p n), widens the law: as if it were
    scaled about its mean to the variance of both.
    """
    wide, high = np.sqrt(n - 1), np.sqrt(p)
    centre, spread = (wide + high) ** 2, (wide + high) * (1 / wide + 1 / high) ** (1 / 3)
    error = 2 * deviation / np.sqrt(2 * p * n) * centre / spread
    wider = np.sqrt(1 + error**2 / _TRACY_WIDOM_VARIANCE)
    quantile = _TRACY_WIDOM_MEAN + wider * (TRACY_WIDOM - _TRACY_WIDOM_MEAN)
    return np.asarray(centre + quantile * spread)


@cache
def _means() -> tuple[Doubles, Doubles]:
    """Return ratios from 0 to 1 and, of each, the trimmed mean of singular values."""
    ratios = np.linspace(0, 1, _GRID)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    inner, shares = ratios[1:, None], 0.5 + nodes * (0.5 - _TRIMMED)
    low, high = (1 - np.sqrt(inner)) ** 2 + 0 * shares, (1 + np.sqrt(inner)) ** 2 + 0 * shares
    for _ in range(60):  # bisection to the last bit
        middle = (low + high) / 2
        too_low = marchenko_pastur_cdf(middle, inner) < shares
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return ratios, np.concatenate([[1.0], np.sqrt(low) @ weights / 2])


_noises = remembering(fit_noise)


def _of_noise(S: Tensor, rows: int, columns: int, field: str) -> Tensor:
    return each_spectrum(S, rows, columns, _noises, lambda _, noise: getattr(noise, field))


@quantity(label="noise scale", range=(0, math.inf), family="random_matrix", **_GAVISH)
def noise_scale(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return sigma of the entries whose Marchenko-Pastur bulk has the trimmed mean of this one.

    Example:
        >>> import torch
        >>> S = torch.linalg.svdvals(torch.randn(64, 96, generator=torch.manual_seed(0)))
        >>> round(float(noise_scale(3 * S, 64, 96)), 1)
        3.0
    """
    return _of_noise(S, rows, columns, "scale")


@quantity(
    label="lower edge of noise", range=(0, math.inf), family="random_matrix", **_MARCHENKO_PASTUR
)
def noise_lower_edge(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return sigma (sqrt n - sqrt m), m <= n the sides, each less `num_outliers`.

    Example:
        >>> import torch
        >>> float(noise_lower_edge(torch.ones(20), 20, 20))
        0.0
    """
    return _of_noise(S, rows, columns, "lower")


@quantity(
    label="upper edge of noise", range=(0, math.inf), family="random_matrix", **_MARCHENKO_PASTUR
)
def noise_upper_edge(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return sigma (sqrt n + sqrt m), m <= n the sides, each less `num_outliers`.

    Example:
        >>> import torch
        >>> S = torch.linalg.svdvals(torch.randn(64, 96, generator=torch.manual_seed(0)))
        >>> bool((noise_upper_edge(S, 64, 96) / S[0] - 1).abs() < 0.05)
        True
    """
    return _of_noise(S, rows, columns, "upper")


@quantity(label="outliers of noise", range=(0, "R"), family="random_matrix", **_JOHNSTONE)
def num_outliers(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return how many s_i stand out of noise, one after the other, by Tracy-Widom at 1%.

    Example:
        >>> import torch
        >>> S = torch.linalg.svdvals(torch.randn(64, 96, generator=torch.manual_seed(0)))
        >>> S[:3] = torch.tensor([40.0, 30.0, 25.0])
        >>> float(num_outliers(S, 64, 96))
        3.0
    """
    return _of_noise(S, rows, columns, "num_outliers")


@quantity(label="energy above noise", range=(0, 1), family="random_matrix", **_MARCHENKO_PASTUR)
def energy_above_noise(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the share of sum s_i^2 of all s_i above the upper edge.

    Example:
        >>> import torch
        >>> float(energy_above_noise(torch.ones(20), 20, 20))
        0.0
    """

    def share(one: Tensor, noise: Noise) -> float:
        energy = (one / one[0]).square()
        above = float(energy[one > noise.upper].sum() / energy.sum())
        return above if noise.num_outliers >= 0 else math.nan

    return each_spectrum(S, rows, columns, _noises, share)


@quantity(label="share below noise", range=(0, 1), family="random_matrix", **_MARCHENKO_PASTUR)
def fraction_below_noise(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return the share of all s_i below the lower edge, which is 0 of a square matrix.

    Example:
        >>> import torch
        >>> W = torch.randn(64, 256, generator=torch.manual_seed(0)).double()
        >>> W[:16] = 0
        >>> S = torch.linalg.svdvals(W)
        >>> float(fraction_below_noise(S, 64, 256))
        0.25
    """

    def share(one: Tensor, noise: Noise) -> float:
        below = float((one < noise.lower).double().mean())
        return below if noise.num_outliers >= 0 else math.nan

    return each_spectrum(S, rows, columns, _noises, share)


@quantity(label="distance from noise", range=(0, 1), family="random_matrix", **_MARCHENKO_PASTUR)
def noise_distance(S: Tensor, rows: int, columns: int) -> Tensor:
    """Return max |F(s) - F_MP(s)|, the Kolmogorov distance from the bulk of `noise_scale`.

    Example:
        >>> import torch
        >>> S = torch.linalg.svdvals(torch.randn(64, 96, generator=torch.manual_seed(0)))
        >>> bool(noise_distance(S, 64, 96) < 0.05)
        True
    """

    def distance(one: Tensor, noise: Noise) -> float:
        scale, n, R = noise.scale, max(rows, columns), len(one)
        if not scale > 0:
            return math.nan
        eigenvalues = (one.flip(0).cpu().numpy() / scale) ** 2 / n
        law, count = marchenko_pastur_cdf(eigenvalues, R / n), np.arange(R + 1) / R
        return float(max((law - count[:-1]).max(), (count[1:] - law).max()))

    return each_spectrum(S, rows, columns, _noises, distance)
