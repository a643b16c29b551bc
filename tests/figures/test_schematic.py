"""The small network that explains the method: what is drawn of it is what it does."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.figures.drawn import title_of

from specflow.figures import schematic


@pytest.fixture(scope="module")
def found():
    return schematic.dynamics()


@pytest.fixture(scope="module")
def trained():
    return schematic._trained()


def test_numbers_are_those_of_a_naive_decomposition(found, trained):
    _, target, kept = trained
    ends = [np.linalg.svd(weight) for weight in kept[:, 0]]
    np.testing.assert_allclose(found.values, [S for _, S, _ in ends], atol=1e-12)
    shares = found.values / found.values.sum(axis=1, keepdims=True)
    entropy = -np.sum(shares * np.log(shares), axis=1)
    np.testing.assert_allclose(found.ranks, np.exp(entropy) / shares.shape[1])
    U, S, Vh = ends[-1]
    np.testing.assert_allclose(found.terms[0], kept[-1, 0])
    np.testing.assert_allclose(found.terms[2], S[1] * np.outer(U[:, 1], Vh[1]), atol=1e-12)
    np.testing.assert_allclose(found.terms[1:].sum(axis=0), found.terms[0], atol=1e-12)
    first, _, first_h = ends[3]
    agreement = np.abs(np.diag(first.T @ U) * np.diag(first_h @ Vh.T))
    np.testing.assert_allclose(found.agreement[3], agreement, atol=1e-8)
    read = np.linalg.svd(kept[-1, 1])[2]
    np.testing.assert_allclose(found.alignment, np.abs(read @ U), atol=1e-8)
    half = len(S) // 2
    pruned = [W[:, :half] * s[:half] @ V[:half] for W, s, V in map(np.linalg.svd, kept[-1])]
    loss = np.sum((pruned[1] @ pruned[0] - target) ** 2) / np.sum(target**2)
    assert found.losses["top"][-1] == pytest.approx(loss)


def test_the_example_shows_what_its_panels_say(found):
    growth = found.values[-1] - found.values[0]
    assert np.all(np.diff(growth[:4]) < 0)
    assert np.all(growth[8:] < 0)
    assert found.ranks[-1] < 0.6 * found.ranks[0]
    settled = [np.argmax(found.agreement[:, index] > 0.9) for index in range(4)]
    assert settled == sorted(settled)
    assert np.diag(found.alignment)[:4].min() > 0.9
    full, top, bottom = (found.losses[keep][-1] for keep in ("full", "top", "bottom"))
    assert full == pytest.approx(top, abs=0.01)
    assert bottom > 0.9 > 0.1 > full


def test_it_is_the_same_whenever_it_is_drawn(found):
    again = schematic.dynamics()
    np.testing.assert_array_equal(again.values, found.values)
    np.testing.assert_array_equal(again.agreement, found.agreement)


def test_it_needs_no_table():
    fig = Figure(layout="constrained")
    schematic.schematic(fig, None, None)
    numbers = sorted(title[:2] for axes in fig.axes if (title := title_of(axes))[:1].isdigit())
    assert numbers == ["2.", "3.", "4.", "5.", "6."]
