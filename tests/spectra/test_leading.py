"""Leading values and vectors against a float64 SVD: as near as gaps allow, and where not, said."""

import math

import pytest
import torch
from tests.spectra.matrices import assert_identity, orthogonal, random

from specflow.spectra import decompose
from specflow.spectra.leading import leading_vectors
from specflow.threads import one_thread

COUNT = 5
SHAPES = [(300, 200), (200, 300), (300, 300), (12, 40), (3, 2)]


@pytest.fixture(autouse=True)
def single():
    with one_thread():
        yield


def of_spectrum(rows, columns, spectrum, seed=0):
    U, V = orthogonal(rows, seed), orthogonal(columns, seed + 1)
    R = min(rows, columns)
    return (U[:, :R] * spectrum) @ V[:R]


def trained(rows, columns, seed=0):
    """Noise with a few directions that stand out, as weights have them after training."""
    R = min(rows, columns)
    spectrum = 1 + torch.rand(R, generator=torch.Generator().manual_seed(seed)).double()
    spectrum[:7] = torch.linspace(9, 3, 7)[:R]
    return of_spectrum(rows, columns, spectrum.sort(descending=True).values, seed)


def sines(found, exact):
    """The angle of each pair to the true one: of u, v and their common sign."""
    count = len(found.S)
    left = (found.U * exact.U[:, :count]).sum(0)
    right = (found.Vh * exact.Vh[:count]).sum(1)
    return (1 - (left * right).abs()).clamp(min=0).mul(2).sqrt() / math.sqrt(2)


def check(weight, found, count=COUNT):
    S = torch.linalg.svdvals(weight.double())
    count = min(count, len(S))
    assert found.S.shape == found.error.shape == (count,)
    assert (found.S - S[:count]).abs().max() <= 1e-9 * S[0]
    assert_identity(found.U.mT @ found.U)
    assert_identity(found.Vh @ found.Vh.mT)
    reached = weight.double() @ found.Vh.mT - found.U * found.S
    assert reached.norm() <= 1e-5 * S[0]
    squares = torch.cat([S.square(), -S[:1] * torch.inf])
    gaps = squares[:count] - squares[1 : count + 1]
    gaps = torch.minimum(gaps, torch.cat([S[:1] * torch.inf, gaps[:-1]])) / squares[0]
    assert (found.error[gaps > 1e-6] <= 1e-4).all()
    exact = decompose(weight.double())
    settled = found.error <= 1e-4
    assert (sines(found, exact)[settled] <= 1e-4).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_first_ones_are_those_of_the_whole(shape, dtype):
    for weight in (random(*shape), trained(*shape)):
        weight = weight.to(dtype)
        before = weight.clone()
        check(weight, leading_vectors(weight, COUNT))
        assert torch.equal(weight, before)


def test_walk_is_followed_from_its_last_step_without_the_whole():
    for seed in range(5):
        weight, start = trained(400, 300, seed), None
        for step in range(6):
            found = leading_vectors(weight, COUNT, start)
            check(weight, found)
            assert step < 2 or not found.is_whole  # where it has hardly changed
            start = found.start
            weight = weight + 10.0**-step * random(400, 300, seed=10 * seed + step) / 20


def test_new_direction_is_found_that_is_orthogonal_to_all_of_the_last_time():
    weight = trained(400, 300)
    U, S, Vh = torch.linalg.svd(weight)
    start = leading_vectors(weight, COUNT).start
    for place, size in ((60, 4.5), (150, 20.0), (299, 8.3)):
        spectrum = S.clone()
        spectrum[place] = size
        grown = (U[:, :300] * spectrum) @ Vh
        assert (start[:, :COUNT].mT @ Vh[place]).abs().max() < 1e-6
        found = leading_vectors(grown, COUNT, start)
        check(grown, found)
        assert not found.is_whole


def test_noise_where_nothing_stands_out_is_decomposed_whole():
    weight = random(300, 300)
    assert leading_vectors(weight, COUNT).is_whole
    weight = trained(300, 300)
    assert leading_vectors(weight, COUNT, whole=True).is_whole
    check(weight, leading_vectors(weight, COUNT, whole=True))


def test_equal_singular_values_have_vectors_that_are_any_and_it_is_said():
    spectrum = torch.linspace(1, 0.1, 300, dtype=torch.float64)
    spectrum[:5] = torch.tensor([9.0, 5.0, 5.0, 4.0, 3.0])
    weight = of_spectrum(300, 400, spectrum)
    error = leading_vectors(weight, COUNT).error
    assert (error > 1e-4).tolist() == [False, True, True, False, False]


def test_what_is_zero_or_of_low_rank_has_as_many_directions_as_it_has():
    error = leading_vectors(torch.zeros(300, 300), COUNT).error
    assert error.isnan().all()
    low = random(300, 3) @ random(3, 320)
    found = leading_vectors(low, COUNT)
    assert found.error.isnan().tolist() == [False] * 3 + [True] * 2
    assert (found.error[:3] < 1e-9).all()
    many = random(300, 20) @ random(20, 320)
    check(many, leading_vectors(many, COUNT))


def test_start_of_another_shape_is_said():
    start = leading_vectors(random(300, 300), COUNT).start
    with pytest.raises(ValueError, match="the start has vectors of 300 entries; expected 200"):
        leading_vectors(random(200, 300), COUNT, start)
