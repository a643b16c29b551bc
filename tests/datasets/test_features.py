import math

import numpy as np
import pytest

from specflow.datasets.features import mel_features, mel_filters


def naive_filters() -> np.ndarray:
    """Triangles between corners that are equally far apart in mels, of area 1 Hz."""

    def hertz(mel: float) -> float:
        return 700 * (10 ** (mel / 2595) - 1)

    top = 2595 * math.log10(1 + 8000 / 700)
    corners = [hertz(top * i / 41) for i in range(42)]
    filters = np.zeros((201, 40))
    for k in range(201):
        frequency = k * 16000 / 400
        for m, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:])):  # noqa: B905
            if low < frequency <= middle:
                filters[k, m] = (frequency - low) / (middle - low)
            elif middle < frequency < high:
                filters[k, m] = (high - frequency) / (high - middle)
            filters[k, m] *= 2 / (high - low)
    return filters


def naive_energies(samples: np.ndarray) -> np.ndarray:
    """Frames cut by hand out of the mirrored signal, transformed by the sum of Fourier."""
    mirrored = np.concatenate([samples[200:0:-1], samples, samples[-2:-202:-1]])
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(201), np.arange(400)) / 400)
    rows = []
    for start in range(0, len(samples) + 1, 160):
        spectrum = turns @ (mirrored[start : start + 400] * window)
        rows.append((np.abs(spectrum) ** 2) @ naive_filters())
    return np.array(rows)


def naive_features(samples: np.ndarray, logarithm: bool) -> np.ndarray:
    energies = naive_energies(samples)
    if logarithm:
        energies = np.log(energies)
    rows = (energies - energies.mean(axis=0)) / energies.std(axis=0)
    return np.array([rows[i : i + 3].mean(axis=0) for i in range(0, len(rows) - 2, 3)])


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


def test_filters_match_naive() -> None:
    np.testing.assert_allclose(mel_filters().numpy(), naive_filters(), atol=1e-12)


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("count", [1600, 1759, 1760, 2001])
def test_features_match_naive(count: int, logarithm: bool) -> None:
    samples = noise(count)
    found = mel_features(samples, logarithm=logarithm)
    assert found.dtype == np.float32
    assert found.shape == ((1 + count // 160) // 3, 40)
    np.testing.assert_allclose(found, naive_features(samples, logarithm), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("logarithm", [True, False])
def test_features_do_not_depend_on_loudness(logarithm: bool) -> None:
    samples = noise(3200)
    found = mel_features(samples * 1000, logarithm=logarithm)
    np.testing.assert_allclose(found, mel_features(samples, logarithm=logarithm), atol=1e-5)


def test_silence_has_finite_features() -> None:
    found = mel_features(np.zeros(3200), logarithm=True)
    assert np.array_equal(found, np.zeros_like(found))


@pytest.mark.parametrize("shape", [(400,), (1, 1600)])
def test_too_short_or_two_dimensional_sound_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected \\(n,\\) with n > 400"):
        mel_features(np.zeros(shape), logarithm=True)
