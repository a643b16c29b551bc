"""Quantities of matrices of one shape together are, bit by bit, those of each alone."""

import pytest
import torch

from specflow.measure.quantities import alike, quantities_always, quantities_on_demand
from specflow.measure.settings import SpectraParams
from specflow.spectra import QUANTITIES

SETTINGS = SpectraParams(
    diagonal_length=4, score_length=2, mass=0.9, more=("random_matrix", "power_law")
)


def spectra(seed, *shape):
    """Return descending spectra of very different scales, some of them zero or not defined."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64).abs()
    S = drawn.sort(-1, descending=True).values
    S *= 10.0 ** torch.randn((*shape[:-1], 1), generator=generator)
    S[torch.rand(shape[:-1], generator=generator) < 0.1] = 0
    S[torch.rand(shape[:-1], generator=generator) < 0.1] = torch.nan
    return S


def naive(one, S, shape):
    """Return a quantity of one spectrum."""
    given = {name: getattr(SETTINGS, name) for name in one.settings}
    given |= dict(zip(("rows", "columns"), shape, strict=True)) if one.takes_shape else {}
    try:
        return one.function(S, **given)
    except ValueError:
        return torch.tensor(torch.nan, dtype=torch.float64)


def same_bits(a, b):
    return torch.equal(a.nan_to_num(-7).view(torch.int64), b.nan_to_num(-7).view(torch.int64))


@pytest.mark.parametrize("R", [1, 3, 40, 513])
@pytest.mark.parametrize("steps", [1, 4])
def test_quantities_of_many_are_those_of_each(R, steps):
    shapes = [(R, R), (R, R + 1), (R, R)] * 5
    all_S = list(spectra(R, len(shapes), steps, R))
    found = quantities_always(all_S, shapes, SETTINGS)
    for S, shape, row in zip(all_S, shapes, found, strict=True):
        assert set(row) == {name for name, one in QUANTITIES.items() if one.family is None}
        for name, values in row.items():
            alone = torch.stack([naive(QUANTITIES[name], one, shape) for one in S])
            assert same_bits(values, alone), name


def test_quantities_on_demand_of_many_are_those_of_each():
    all_S = spectra(0, 7, 60)
    found = quantities_on_demand([{"singular_values": S} for S in all_S], (60, 80), SETTINGS)
    for S, row in zip(all_S, found, strict=True):
        assert {QUANTITIES[name].family for name in row} == {"random_matrix", "power_law"}
        for name, value in row.items():
            assert same_bits(value, naive(QUANTITIES[name], S, (60, 80))), name


def test_places_are_grouped_by_kind():
    assert alike("abcab") == [[0, 3], [1, 4], [2]]
    assert alike([]) == []
