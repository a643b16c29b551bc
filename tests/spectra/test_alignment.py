import math
from itertools import product

import pytest
import torch
from tests.spectra.matrices import assert_identity, close, random

from specflow.spectra import alignment, alignment_null_level, decompose


def _fed_by(previous: torch.Tensor, outputs: int) -> torch.Tensor:
    """Return a following matrix whose right singular vectors are the previous left ones."""
    U = decompose(previous).U
    S = torch.arange(U.shape[1], 0, -1).double()
    return (torch.linalg.qr(random(outputs, U.shape[1], seed=9)).Q * S) @ U.T


def test_matrices_in_series_are_aligned():
    previous = random(12, 40)
    assert_identity(alignment(previous, _fed_by(previous, 30)))


def test_order_of_previous_and_following_matters():
    """Negative control: both square, so that the wrong order would not fail by its shape."""
    previous = random(12, 12)
    following = _fed_by(previous, 12)
    assert alignment(previous, following).diagonal().min() > 1 - 1e-9
    assert alignment(following, previous).diagonal().mean() < 0.5


def test_matches_naive():
    previous, following = random(6, 9, seed=1), random(4, 6, seed=2)
    U = torch.linalg.svd(previous, full_matrices=False).U
    Vh = torch.linalg.svd(following, full_matrices=False).Vh
    found = alignment(previous, following)
    assert found.shape == (4, 6)
    for i, j in product(range(4), range(6)):
        assert float(found[i, j]) == pytest.approx(abs(float(Vh[i] @ U[:, j])), abs=1e-9)


def test_embedding_meets_with_its_right_vectors():
    embedding, following = random(50, 8, seed=1), random(24, 8, seed=2)
    expected = alignment(embedding.T, following)
    torch.testing.assert_close(alignment(embedding, following, previous_side="right"), expected)


def test_query_and_key_meet_with_their_left_vectors():
    query, key = random(8, 32, seed=1), random(8, 32, seed=2)
    expected = alignment(query, key.T)
    torch.testing.assert_close(alignment(query, key, following_side="left"), expected)
    assert_identity(alignment(query, query, following_side="left"))


def test_convolution_is_met_at_each_position():
    previous, following = random(5, 7, seed=1), random(6, 5, 3, 2, seed=2)
    U = torch.linalg.svd(previous, full_matrices=False).U
    V = torch.linalg.svd(following.flatten(1), full_matrices=False).Vh.reshape(6, 5, 3, 2)
    found = alignment(previous, following, position="all")
    assert found.shape == (3, 2, 6, 5)
    for y, x in product(range(3), range(2)):
        torch.testing.assert_close(found[y, x], (V[:, :, y, x] @ U).abs())
    torch.testing.assert_close(alignment(previous, following), found[1, 1])


def test_only_the_position_that_reads_is_aligned():
    previous = random(6, 20)
    following = torch.zeros(6, 6, 3, 3, dtype=torch.float64)
    following[:, :, 1, 1] = _fed_by(previous, 6)
    found = alignment(previous, following.float(), position="all")
    assert_identity(found[1, 1], 1e-6)
    assert found.sum() == pytest.approx(float(found[1, 1].sum()), rel=1e-6)
    close(alignment(previous, following), found[1, 1], 1e-6)


def test_decompositions_need_the_kernel_told():
    previous, following = random(5, 7, seed=1), random(6, 5, 3, 3, seed=2)
    leading = decompose(previous, 3), decompose(following, 4)
    expected = alignment(previous, following)[:4, :3]
    torch.testing.assert_close(alignment(*leading, kernel=(3, 3)), expected)
    with pytest.raises(ValueError, match="length 5 cannot meet right ones of length 45"):
        alignment(*leading)


def test_convolution_feeds_by_its_outputs():
    previous, following = random(5, 4, 3, 3, seed=1), random(6, 5, seed=2)
    expected = alignment(previous.flatten(1), following)
    torch.testing.assert_close(alignment(previous, following), expected)
    assert alignment(previous, following, position="all").shape == (1, 1, 5, 5)


@pytest.mark.parametrize("dimension", [1, 2, 3, 10, 113])
def test_null_level_is_the_mean_of_random_unit_vectors(dimension):
    vectors = torch.nn.functional.normalize(random(20000, dimension), dim=1)
    mean = float(vectors[:, 0].abs().mean())
    assert alignment_null_level(dimension) == pytest.approx(mean, rel=0.05)


def test_null_level_has_the_known_values():
    assert alignment_null_level(1) == pytest.approx(1)
    assert alignment_null_level(2) == pytest.approx(2 / math.pi)
    assert alignment_null_level(3) == pytest.approx(1 / 2)
    assert alignment_null_level(10**6) == pytest.approx(math.sqrt(2 / (math.pi * 1e6)), rel=1e-6)


def test_null_level_of_a_convolution_is_that_of_all_its_inputs():
    found = torch.stack(
        [
            alignment(random(6, 6, seed=2 * t), random(6, 6, 3, 3, seed=2 * t + 1)).mean()
            for t in range(200)
        ]
    )
    assert float(found.mean()) == pytest.approx(alignment_null_level(6 * 9), rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "length 4 cannot meet right ones of length 5"),
        ({"following_side": "left"}, "cannot meet left"),
        ({"kernel": (3, 3)}, "expected 36"),
        ({"previous_side": "up"}, "side is 'up'"),
        ({"position": "corner"}, "position is 'corner'"),
    ],
)
def test_what_cannot_meet_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        alignment(random(4, 3), random(6, 5), **options)


def test_dimension_zero_is_refused():
    with pytest.raises(ValueError, match="dimension is 0"):
        alignment_null_level(0)
